//! Who reaches the service, and what they may ask.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use media_cache_server::{Access, AdminTokens, AllowedOrigin, AllowedOrigins, Listener, Pseudonym};

use crate::secrets::{admin_tokens, signing_keys};

/// What `serve` is told of the world around it.
#[derive(Args)]
#[command(next_help_heading = "Who may ask")]
pub struct Listeners {
    /// A file with keys, one a line: requests for media then have to be signed with one of them. The first signs; the others are for
    /// the time of a change. See `media-cache sign`
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    signing_key_file: Vec<PathBuf>,
    /// Answer anybody's requests for media, also where `--listen` can be reached from other machines
    #[arg(long)]
    public: bool,
    /// A file with tokens, one a line: who sends one (`Authorization: Bearer …`) may store, delete, list and replace the policy
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    /// Where to listen for administration. Who can connect there needs no token, unless there are tokens, and no signature
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<SocketAddr>,
    /// Web pages whose scripts may read media, by origin, such as `https://example.org`, or `*` for all; every page may display it
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<AllowedOrigin>,
    /// What the service is called in the `Via` of its requests, by which it knows them when it is led to itself; a random name unless
    /// it is given
    #[arg(long, value_name = "NAME")]
    via: Option<Pseudonym>,
}

/// What may be asked where.
pub struct ListenerAccess {
    /// At the listener for everybody.
    pub main: Access,
    /// At the listener for administration, if there is one.
    pub admin: Option<(SocketAddr, Access)>,
}

impl Listeners {
    /// What may be asked at `listen`, and where administration is. Reads the files.
    ///
    /// # Errors
    /// With a sentence for the user: where a file cannot be used, and where this would let in the world by mistake.
    pub fn access(&self, listen: SocketAddr) -> anyhow::Result<ListenerAccess> {
        let signing_keys = signing_keys(&self.signing_key_file)?;
        let admin_tokens = self.admin_token_file.as_deref().map(admin_tokens).transpose()?.unwrap_or_default();
        self.check(listen, &admin_tokens)?;
        let listener = if is_loopback(listen) { Listener::Loopback } else { Listener::Public };
        let main = Access { signing_keys, admin_tokens, allow_origins: AllowedOrigins(self.allow_origin.clone()), listener };
        // Web pages have no access to administration.
        let admin = Access { listener: Listener::Administration, allow_origins: AllowedOrigins::default(), ..main.clone() };
        let admin = self.admin_listen.map(|address| (address, admin));
        Ok(ListenerAccess { main, admin })
    }

    /// What the service is called.
    pub fn pseudonym(&self) -> Pseudonym {
        self.via.clone().unwrap_or_else(Pseudonym::random)
    }

    fn check(&self, listen: SocketAddr, tokens: &AdminTokens) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.admin_listen.is_none_or(|admin| admin != listen || admin.port() == 0),
            "--admin-listen and --listen are the same address, {listen}; administration needs one of its own"
        );
        let signed = !self.signing_key_file.is_empty();
        anyhow::ensure!(
            !(signed && self.public),
            "--public lets anybody ask, and --signing-key-file only those who have a signature: leave out one of them"
        );
        anyhow::ensure!(
            signed || self.public || is_loopback(listen),
            "--listen {listen} can be reached from other machines, and whoever reaches it could have this one download whatever they \
             like. Give a key with which requests have to be signed (--signing-key-file FILE), or say that this is meant (--public), \
             or listen on this machine only (--listen 127.0.0.1:{})",
            listen.port()
        );
        if let Some(address) = self.admin_listen {
            anyhow::ensure!(
                !tokens.is_empty() || is_loopback(address),
                "--admin-listen {address} can be reached from other machines, and whoever reaches it could store and delete what they \
                 like. Give tokens (--admin-token-file FILE), or listen on this machine only (--admin-listen 127.0.0.1:{})",
                address.port()
            );
        }
        Ok(())
    }
}

/// Whether only this machine can connect. The address that stands for all of them is not among those.
fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_this_machine() {
        for address in ["127.0.0.1:1", "127.255.3.4:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(is_loopback(address.parse().unwrap()), "{address}");
        }
        for address in
            ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "192.0.2.1:1", "[::ffff:0.0.0.0]:1", "[fe80::1]:1", "[::ffff:10.0.0.1]:1"]
        {
            assert!(!is_loopback(address.parse().unwrap()), "{address}");
        }
    }
}
