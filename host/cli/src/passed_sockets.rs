//! Sockets that the service manager passes (sd_listen_fds(3), socket units of systemd). The service then accepts connections from them,
//! instead of listening itself, so that connections wait while it is restarted.

use std::net::TcpListener;

use anyhow::Context;
use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

/// The name (`FileDescriptorName=`) of the socket that takes the place of `--listen`.
const MAIN: &str = "main";

/// The name of the socket that takes the place of `--admin-listen`.
const ADMIN: &str = "admin";

/// The sockets that were passed to this process.
#[derive(Debug, Default)]
pub struct PassedSockets {
    /// Takes the place of `--listen`.
    pub main: Option<TcpListener>,
    /// Takes the place of `--admin-listen`.
    pub admin: Option<TcpListener>,
}

impl PassedSockets {
    /// Takes the sockets, and removes the variables that describe them. Must be called before there are other threads.
    ///
    /// # Errors
    /// Returns an error with a message for the user if the service cannot use one of the sockets.
    pub fn take() -> anyhow::Result<Self> {
        let mut passed = ListenFd::from_env();
        let names = std::env::var("LISTEN_FDNAMES").ok();
        let names = names_of(passed.len(), names.as_deref())?;
        let mut sockets = Self::default();
        for (index, name) in names.into_iter().enumerate() {
            let socket = passed.take_tcp_listener(index).with_context(|| format!("cannot use the passed socket {name:?}"))?;
            let Some(socket) = socket else { continue };
            anyhow::ensure!(
                socket_acceptconn(&socket)?,
                "cannot use the passed socket {name:?}: it does not listen; use Accept=no in the socket unit"
            );
            let place = if name == ADMIN { &mut sockets.admin } else { &mut sockets.main };
            anyhow::ensure!(place.is_none(), "two sockets named {name:?} were passed; use one ListenStream= in each socket unit");
            *place = Some(socket);
        }
        Ok(sockets)
    }
}

/// The names of passed sockets. A single socket without a name is the main one.
fn names_of(count: usize, names: Option<&str>) -> anyhow::Result<Vec<&str>> {
    let Some(names) = names.filter(|_| count > 0) else {
        anyhow::ensure!(count <= 1, "{count} sockets without names were passed; name them {MAIN:?} and {ADMIN:?}");
        return Ok(vec![MAIN; count]);
    };
    let names: Vec<&str> = names.split(':').collect();
    anyhow::ensure!(names.len() == count, "{count} sockets, but {} names were passed", names.len());
    for name in &names {
        anyhow::ensure!(
            [MAIN, ADMIN].contains(name),
            "the passed socket {name:?} has an unknown name; set FileDescriptorName={MAIN} or FileDescriptorName={ADMIN} in its socket unit"
        );
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_need_known_names_unless_there_is_only_one() {
        let names = |count, names| names_of(count, names).map_err(|error| error.to_string());
        assert_eq!(names(0, Some("main")), Ok(vec![]), "left over from another process");
        assert_eq!(names(1, None), Ok(vec!["main"]));
        assert_eq!(names(2, Some("admin:main")), Ok(vec!["admin", "main"]));
        assert!(names(2, None).unwrap_err().contains("2 sockets without names"));
        assert!(names(2, Some("main")).unwrap_err().contains("2 sockets, but 1 names"));
        assert!(names(1, Some("media-cache.socket")).unwrap_err().contains("FileDescriptorName=main"));
    }
}
