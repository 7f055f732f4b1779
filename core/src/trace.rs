//! Tracing headers: which trace of X-Ray a request, an invocation or a message
//! belongs to.
//!
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>

use std::fmt;
use std::str::FromStr;

/// A tracing header, such as
/// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`.
///
/// Fields of other names are dropped. `Lineage`, by which Lambda takes a
/// function that feeds its own queue for a runaway loop, is one of them: a task
/// that goes back to its queue with what is left is meant to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceHeader {
    root: Root,
    parent: Option<u64>,
    is_sampled: Option<bool>,
}

/// The id of a trace: when it began, in seconds, and 96 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    epoch: u32,
    random: u128,
}

/// The text is no tracing header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a tracing header with a Root such as 1-5759e988-bd862e3fe1be46a994272793")]
pub struct InvalidTraceHeader;

impl TraceHeader {
    /// Returns the trace.
    #[must_use]
    pub fn root(self) -> Root {
        self.root
    }

    /// Returns the id of the segment from which the work was asked for.
    #[must_use]
    pub fn parent(self) -> Option<u64> {
        self.parent
    }

    /// Whether segments of the trace are kept; `None` if that is not decided.
    #[must_use]
    pub fn is_sampled(self) -> Option<bool> {
        self.is_sampled
    }
}

impl FromStr for TraceHeader {
    type Err = InvalidTraceHeader;

    /// Reads a header. The order of its fields does not matter; a parent or a
    /// decision that cannot be read is not there.
    fn from_str(text: &str) -> Result<Self, InvalidTraceHeader> {
        let mut root = None;
        let (mut parent, mut is_sampled) = (None, None);
        let fields = text.split(';').filter_map(|field| field.split_once('='));
        for (name, value) in fields {
            match (name.trim(), value.trim()) {
                ("Root", value) => root = Some(value.parse()?),
                ("Parent", value) => {
                    parent = hexadecimal(value, 16).and_then(|id| id.try_into().ok());
                }
                ("Sampled", "0") => is_sampled = Some(false),
                ("Sampled", "1") => is_sampled = Some(true),
                _ => {}
            }
        }
        Ok(Self {
            root: root.ok_or(InvalidTraceHeader)?,
            parent,
            is_sampled,
        })
    }
}

impl fmt::Display for TraceHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root={}", self.root)?;
        if let Some(parent) = self.parent {
            write!(f, ";Parent={parent:016x}")?;
        }
        match self.is_sampled {
            Some(is_sampled) => write!(f, ";Sampled={}", u8::from(is_sampled)),
            None => Ok(()),
        }
    }
}

impl FromStr for Root {
    type Err = InvalidTraceHeader;

    fn from_str(text: &str) -> Result<Self, InvalidTraceHeader> {
        let rest = text.strip_prefix("1-");
        let parts = rest.and_then(|rest| rest.split_once('-'));
        let (epoch, random) = parts.ok_or(InvalidTraceHeader)?;
        let epoch = hexadecimal(epoch, 8).and_then(|epoch| epoch.try_into().ok());
        let random = hexadecimal(random, 24);
        let (Some(epoch), Some(random)) = (epoch, random) else {
            return Err(InvalidTraceHeader);
        };
        Ok(Self { epoch, random })
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1-{:08x}-{:024x}", self.epoch, self.random)
    }
}

/// Reads a number of exactly so many hexadecimal digits.
fn hexadecimal(text: &str, digits: usize) -> Option<u128> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| u128::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

    #[track_caller]
    fn check(text: &str, written: Option<&str>) {
        let read = text.parse::<TraceHeader>().ok();
        assert_eq!(
            read.map(|header| header.to_string()).as_deref(),
            written,
            "{text}"
        );
    }

    #[test]
    fn headers_read_as_written() {
        for rest in ["", ";Sampled=0", ";Parent=53995c3f42cd8ad8;Sampled=1"] {
            let header = format!("Root={ROOT}{rest}");
            check(&header, Some(&header));
        }
        let early = "Root=1-0000000a-00000000000000000000000b;Parent=000000000000000c";
        check(early, Some(early));
    }

    #[test]
    fn what_is_not_understood_of_a_header_is_dropped() {
        let header = format!(
            "Self=1-67891234-12456789abcdef012345678; Sampled=1 ;Root={ROOT};Lineage=1:a:0"
        );
        check(&header, Some(&format!("Root={ROOT};Sampled=1")));
        let header = format!("Root={ROOT};Parent=xyz;Sampled=?");
        check(&header, Some(&format!("Root={ROOT}")));
    }

    #[test]
    fn a_header_without_a_root_is_none() {
        for text in [
            "",
            "Sampled=1",
            "Root=",
            "Root=1-5759e988",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e98-bd862e3fe1be46a9942727933",
            "Root=1-+759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a99427279\u{e9}",
        ] {
            check(text, None);
        }
    }
}
