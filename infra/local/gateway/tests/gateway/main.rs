//! The gateway on loopback sockets, with functions played by the test.

#[cfg(test)]
mod admission;
#[cfg(test)]
mod http_api;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod management;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod stage;
