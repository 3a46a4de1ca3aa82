#!/bin/sh
# Makes the keys and certificates of the tests, which protect nothing: `sh tests/certificates/make.sh` (openssl 3).
set -eu
cd "$(dirname "$0")"
DAYS=36500

authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$DAYS" -subj "/CN=$1" \
    -keyout "$1.key" -out "$1.pem" -addext keyUsage=critical,keyCertSign,cRLSign
}

# name, authority, days
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
  printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n' "$1" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days "$3" -extfile "$1.ext" -out "$1.pem"
  rm "$1.csr" "$1.ext"
}

authority authority
authority another-authority
certificate broker authority "$DAYS"
certificate renewed authority "$DAYS"
certificate moved another-authority "$DAYS"
rm -f ./*.srl authority.key another-authority.key
