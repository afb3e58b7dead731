//! State changes → outside: what is not a program. Nothing here waits; what a reader does not take is counted.

mod fifo;

pub use fifo::Fifos;
