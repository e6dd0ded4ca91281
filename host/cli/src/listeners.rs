//! Access to the service: who can connect, and what they may request.

use std::path::PathBuf;

use clap::Args;
use media_cache_server::{Access, AdminTokens, AllowedOrigin, AllowedOrigins, Listener, Pseudonym};

use crate::listen_address::{ListenAddress, ResolvedAddress};
use crate::secrets::{admin_tokens, camo_keys, signing_keys};

/// The options of `serve` for access, and the name of the service.
#[derive(Args)]
#[command(next_help_heading = "Access")]
pub struct Listeners {
    /// A file with keys, one per line: requests for media must then be signed with one of them. The first key signs; the others are for key
    /// rotation. See `media-cache sign`
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    signing_key_file: Vec<PathBuf>,
    /// A file with keys, one per line: links made for camo with one of them are accepted. As with `--signing-key-file`, requests for media
    /// must then be signed
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    camo_key_file: Vec<PathBuf>,
    /// Serve media to everyone, even if `--listen` is reachable from other machines
    #[arg(long)]
    public: bool,
    /// A file with tokens, one per line. Clients that send a token (`Authorization: Bearer …`) may store, delete and list entries, and
    /// replace the policy
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    /// The address to listen on for administration, in the same form as `--listen`. Clients that can connect there need no signature, and
    /// need a token only if `--admin-token-file` is given
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<ListenAddress>,
    /// Origins of web pages whose scripts may read media, such as `https://example.org`, or `*` for all; any page may display media
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<AllowedOrigin>,
    /// The name of the service in the `Via` header of its requests, by which it detects requests to itself; random by default
    #[arg(long, value_name = "NAME")]
    via: Option<Pseudonym>,
}

/// The access at each listener.
pub struct ListenerAccess {
    /// At the public listener.
    pub main: Access,
    /// At the administration listener, if there is one.
    pub admin: Option<(ResolvedAddress, Access)>,
}

impl Listeners {
    /// The access at `listen` and at the administration listener, which is at `passed` or else at the configured address. Reads the files.
    ///
    /// # Errors
    /// Returns an error with a message for the user if a file cannot be used, or if this would accidentally give everyone access.
    pub async fn access(&self, listen: &ResolvedAddress, passed: Option<ResolvedAddress>) -> anyhow::Result<ListenerAccess> {
        let admin_address = if passed.is_some() { passed } else { self.admin_address().await? };
        let (main, admin) = self.access_at(listen, admin_address.as_ref())?;
        Ok(ListenerAccess { main, admin: admin_address.zip(admin) })
    }

    /// The access at `listen` and at `admin_listen`, which replaces the configured address. Reads the files.
    ///
    /// # Errors
    /// As for [`access`](Self::access).
    pub fn access_at(
        &self,
        listen: &ResolvedAddress,
        admin_listen: Option<&ResolvedAddress>,
    ) -> anyhow::Result<(Access, Option<Access>)> {
        let (signing_keys, camo_keys) = (signing_keys(&self.signing_key_file)?, camo_keys(&self.camo_key_file)?);
        let admin_tokens = self.admin_token_file.as_deref().map(admin_tokens).transpose()?.unwrap_or_default();
        self.check(listen, admin_listen, &admin_tokens)?;
        let listener = if listen.is_loopback() { Listener::Loopback } else { Listener::Public };
        let allow_origins = AllowedOrigins(self.allow_origin.clone());
        let main = Access { signing_keys, camo_keys, admin_tokens, allow_origins, listener, administration: None };
        // Web pages have no access to the administration listener.
        let admin = Access { listener: Listener::Administration, allow_origins: AllowedOrigins::default(), ..main.clone() };
        let admin = admin_listen.map(|_| admin);
        Ok((main, admin))
    }

    /// All problems that would keep a service from listening with this access.
    pub async fn problems(&self, listen: &ListenAddress) -> Vec<anyhow::Error> {
        let keys = self.signing_key_file.iter().filter_map(|file| signing_keys(&[file]).err());
        let keys = keys.chain(self.camo_key_file.iter().filter_map(|file| camo_keys(&[file]).err()));
        let mut problems: Vec<_> = keys.chain(self.admin_token_file.as_deref().and_then(|file| admin_tokens(file).err())).collect();
        let mut resolved = Vec::new();
        for address in [Some(listen), self.admin_listen.as_ref()].into_iter().flatten() {
            match address.resolve().await {
                Ok(address) => resolved.push(address),
                Err(error) => problems.push(error),
            }
        }
        problems.extend(resolved.iter().filter_map(|address| address.check().err()));
        if problems.is_empty()
            && let [listen, ..] = &*resolved
        {
            problems.extend(self.access(listen, None).await.err());
        }
        problems
    }

    async fn admin_address(&self) -> anyhow::Result<Option<ResolvedAddress>> {
        match &self.admin_listen {
            Some(address) => Ok(Some(address.resolve().await?)),
            None => Ok(None),
        }
    }

    /// Whether there is a listener for administration.
    pub fn has_admin(&self) -> bool {
        self.admin_listen.is_some()
    }

    /// The name of the service.
    pub fn pseudonym(&self) -> Pseudonym {
        self.via.clone().unwrap_or_else(Pseudonym::random)
    }

    fn check(&self, listen: &ResolvedAddress, admin: Option<&ResolvedAddress>, tokens: &AdminTokens) -> anyhow::Result<()> {
        anyhow::ensure!(
            admin.is_none_or(|admin| !admin.overlaps(listen)),
            "--admin-listen and --listen are the same address, {listen}; administration needs a separate one"
        );
        let keys = [("signing", &self.signing_key_file), ("camo", &self.camo_key_file)];
        let required_by = keys.into_iter().find(|(_, files)| !files.is_empty()).map(|(kind, _)| kind);
        let signed = required_by.is_some();
        if let Some(kind) = required_by.filter(|_| self.public) {
            anyhow::bail!("--public serves everyone, but --{kind}-key-file requires signatures; use only one of them");
        }
        anyhow::ensure!(
            signed || self.public || listen.is_loopback(),
            "--listen {listen} is reachable from other machines, so any client could make this service download whatever it \
             likes. Require signed requests with a key (--signing-key-file FILE), or allow this explicitly (--public), \
             or listen on this machine only (--listen 127.0.0.1:{})",
            listen.port()
        );
        if let Some(address) = admin {
            anyhow::ensure!(
                !tokens.is_empty() || address.is_loopback(),
                "--admin-listen {address} is reachable from other machines, so any client could store and delete what it \
                 likes. Require tokens (--admin-token-file FILE), or listen on this machine only (--admin-listen 127.0.0.1:{})",
                address.port()
            );
        }
        Ok(())
    }
}
