//! Connects to the owner of a directory.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::connection::Connection;
use crate::error::AttachError;
use crate::messages::{Admission, Hello, OwnerInfo, VERSION, Welcome};
use crate::socket_path;

/// How long the owner may take to reply to a new connection.
const MAX_WELCOME: Duration = Duration::from_secs(2);

/// Why a directory cannot be attached to.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// Trying again does not help.
    Final(AttachError),
    /// There may be no owner, or it may be starting or stopping.
    Absent(io::Error),
    /// All connections that the owner accepts are in use. This is their number.
    Full(usize),
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Final(error) => Self::other(error),
            ConnectError::Absent(error) => error,
            ConnectError::Full(limit) => {
                Self::other(format!("the process that owns the directory accepts {limit} connections, all of which are in use"))
            }
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Absent(error)
    }
}

/// Connects to the owner of a directory.
pub(crate) async fn connect(directory: &Path) -> Result<(Connection, OwnerInfo), ConnectError> {
    let stream = socket_path::connect(directory).await?;
    let mut connection = match Connection::new(stream) {
        Ok(connection) => connection,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(ConnectError::Final(AttachError::OtherUser { directory: directory.to_owned(), error }));
        }
        Err(error) => return Err(error.into()),
    };
    let greet = async {
        connection.send(&Hello { version: VERSION }, None).await?;
        connection.receive::<Welcome>().await
    };
    let welcome = tokio::time::timeout(MAX_WELCOME, greet).await.map_err(io::Error::from)??;
    let (welcome, _) = welcome.ok_or(io::ErrorKind::UnexpectedEof).map_err(io::Error::from)?;
    match welcome.admission {
        Some(Admission::Accepted(owner)) => Ok((connection, owner)),
        Some(Admission::Full(limit)) => Err(ConnectError::Full(limit)),
        None => Err(ConnectError::Final(AttachError::Version { program: welcome.program })),
    }
}
