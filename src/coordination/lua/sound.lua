-- sound: whether an id and an entry have the form that these scripts write. What is inside the attributes is checked by the
-- broker that reads them.
local MAX_ID, MAX_ATTRIBUTES = 4096, 1048576

-- Every well-formed sequence of several bytes is replaced by one letter, so that no two of them join to a new one.
local function is_utf8(bytes)
  if not string.find(bytes, '[\128-\255]') then return true end
  local sequences = {'[\194-\223][\128-\191]', '\224[\160-\191][\128-\191]', '[\225-\236\238\239][\128-\191][\128-\191]',
    '\237[\128-\159][\128-\191]', '\240[\144-\191][\128-\191][\128-\191]', '[\241-\243][\128-\191][\128-\191][\128-\191]',
    '\244[\128-\143][\128-\191][\128-\191]'}
  for _, sequence in ipairs(sequences) do bytes = string.gsub(bytes, sequence, 'x') end
  return not string.find(bytes, '[\128-\255]')
end

local function is_id(id) return id ~= '' and #id <= MAX_ID and is_utf8(id) end

