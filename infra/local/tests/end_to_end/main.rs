//! The whole pipeline, as its users meet it: the real executable, real
//! processes, real sockets.

mod actions;
mod faults;
mod lifecycle;
mod publishing;
mod stack;
