//! What JavaScript reports of a worker.

/// How the making of a worker ended in JavaScript.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Creation {
    /// It is active.
    Done,
    /// Its constructor threw.
    Threw,
    /// The class is not registered.
    ClassMissing,
    /// It is kept, and its constructor or its `onCreate` failed.
    Rejected,
    /// Its stored data cannot be read.
    Unreadable,
}

/// How a worker ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// By itself and for good: what it handles may still be answered before it is given up.
    ByItself,
    /// It may live elsewhere at once.
    Moved,
}
