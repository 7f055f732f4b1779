//! What is known to go wrong at an endpoint that is not ours to mend, such as
//! an emulator.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::selected;

/// What an endpoint is known to get wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KnownFault {
    /// The case's name.
    pub case: String,
    /// What the endpoint gets wrong.
    pub fault: String,
    /// How that is known.
    pub evidence: String,
    /// What the failure says: one that does not contain it is another fault.
    /// Without it, any failure is this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
}

impl KnownFault {
    /// Whether a failure that says this is the one that is known.
    #[must_use]
    pub fn explains(&self, why: &str) -> bool {
        self.says.as_deref().is_none_or(|says| why.contains(says))
    }
}

/// All that is known of one endpoint.
#[derive(Clone, Debug, Default)]
pub struct KnownFaults(Vec<KnownFault>);

/// Why a list of known faults cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KnownFaultsError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not such a list.
    #[error(r#"expected [{{"case": …, "fault": …, "evidence": …, "says": …}}] in {}"#, path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why it is none.
        source: serde_json::Error,
    },
    /// A case that there is not.
    #[error("there is no case {0:?}: see --list")]
    NoSuchCase(String),
}

impl KnownFaults {
    /// Reads a JSON file, a list of [`KnownFault`].
    ///
    /// # Errors
    /// See [`KnownFaultsError`].
    pub fn read(path: &Path) -> Result<Self, KnownFaultsError> {
        let text = std::fs::read(path).map_err(|source| KnownFaultsError::Read {
            path: path.to_owned(),
            source,
        })?;
        let faults = serde_json::from_slice(&text).map_err(|source| KnownFaultsError::Parse {
            path: path.to_owned(),
            source,
        })?;
        Self::new(faults)
    }

    /// Makes a list.
    ///
    /// # Errors
    /// One is of a case that there is not.
    pub fn new(faults: Vec<KnownFault>) -> Result<Self, KnownFaultsError> {
        let is_case = |fault: &&KnownFault| selected(None).all(|case| case.name != fault.case);
        match faults.iter().find(is_case) {
            Some(fault) => Err(KnownFaultsError::NoSuchCase(fault.case.clone())),
            None => Ok(Self(faults)),
        }
    }

    /// What is known to be wrong about a case.
    #[must_use]
    pub fn of(&self, case: &str) -> Option<&KnownFault> {
        self.0.iter().find(|known| known.case == case)
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::Error as WebSocketError;
    use tokio_tungstenite::tungstenite::error::{ProtocolError, SubProtocolError};

    use super::*;
    use crate::causes::with_causes;
    use crate::socket::SocketError;
    use crate::suite::cases::refusals::expect_refusal;

    fn fault(case: &str) -> KnownFault {
        KnownFault {
            case: case.to_owned(),
            fault: "it sleeps".to_owned(),
            evidence: "it snores".to_owned(),
            says: None,
        }
    }

    #[test]
    fn faults_are_of_cases_that_there_are() {
        let name = "ping is answered with pong";
        let known = KnownFaults::new(vec![fault(name)]).unwrap();
        assert_eq!(known.of(name), Some(&fault(name)));
        assert_eq!(known.of("another"), None);
        let error = KnownFaults::new(vec![fault("pong")]).unwrap_err();
        assert_eq!(error.to_string(), r#"there is no case "pong": see --list"#);
    }

    #[test]
    fn the_committed_faults_say_how_their_cases_fail() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = directory.join("../aws/ministack/known-faults.json");
        let KnownFaults(faults) = KnownFaults::read(&path).unwrap();
        for fault in &faults {
            assert!(fault.says.is_some(), "{}", fault.case);
        }
        let refused = "a handshake that names a malformed topic is refused with 400";
        let failed = |status: u16| {
            let status = http::StatusCode::from_u16(status).unwrap();
            let text = String::new();
            let opened = Err(SocketError::Refused { status, text });
            with_causes(&expect_refusal(opened, 400).unwrap_err())
        };
        let known = KnownFaults(faults.clone());
        let known = known.of(refused).unwrap();
        assert!(known.explains(&failed(403)), "{}", failed(403));
        assert!(!known.explains(&failed(502)));
        let unechoed = "the subprotocol fanout.v1 is chosen where it is offered";
        let none = WebSocketError::Protocol(ProtocolError::SecWebSocketSubProtocolError(
            SubProtocolError::NoSubProtocol,
        ));
        let why = with_causes(&SocketError::from(none));
        let known = KnownFaults(faults);
        assert!(known.of(unechoed).unwrap().explains(&why), "{why}");
    }

    #[test]
    fn what_is_no_list_of_faults_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("faults.json");
        assert!(matches!(
            KnownFaults::read(&path),
            Err(KnownFaultsError::Read { .. })
        ));
        std::fs::write(&path, r#"[{"case": "a", "fault": "b"}]"#).unwrap();
        let error = KnownFaults::read(&path).unwrap_err();
        assert!(with_causes(&error).contains("missing field `evidence`"));
    }
}
