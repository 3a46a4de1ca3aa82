/**
 * How long one turn of the event loop is worked in, and what that says of answers.
 */
'use strict';

const { wallClock } = require('./timers');

/**
 * After so many ms the rest waits for the next turn: answers leave at the end of a turn, and the application's own
 * timers and sockets want to live under load.
 */
const TURN_MS = 5;
/**
 * An answer takes so many turns: its ask is read in one and handled in another, and the caller, who has as much to do,
 * reads it in one of its own. One for what comes in between.
 */
const TURNS_OF_AN_ANSWER = 4;

class Pace {
  constructor() {
    /** As of the last look, ms. Any jump of this clock only ends a turn early, or late. */
    this.now = 0;
    this.began = 0;
    /** The last turn, where it left work over; else 0. ms. */
    this.took = 0;
    this.leftOver = false;
    /**
     * How long an answer takes that is not begun yet, ms: as the shorter of the last two turns has it, so that one that
     * the application held up says nothing. 0 where no work is left over.
     */
    this.answer = 0;
  }

  /** A turn begins. */
  begin() {
    this.now = wallClock();
    const took = this.leftOver ? Math.max(this.now - this.began, 0) : 0;
    this.answer = TURNS_OF_AN_ANSWER * Math.min(took, this.took);
    this.took = took;
    this.began = this.now;
    this.leftOver = false;
  }

  /** Looks at the clock. */
  look() {
    this.now = wallClock();
    return this.now;
  }

  /** Whether it is time to end the turn. */
  isOver() {
    return this.look() - this.began >= TURN_MS;
  }
}

module.exports.Pace = Pace;
