//! Who can reach the service, and what they may request.

use std::path::PathBuf;

use clap::Args;
use media_cache_server::{Access, AdminTokens, AllowedOrigin, AllowedOrigins, Listener, Pseudonym};

use crate::listen_address::{ListenAddress, ResolvedAddress};
use crate::secrets::{admin_tokens, signing_keys};

/// The options of `serve` about access and its own name.
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
    /// Where to listen for administration, in the form of `--listen`. Clients that can connect there need no token, unless there are tokens, and no signature
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<ListenAddress>,
    /// Web pages whose scripts may read media, by origin, such as `https://example.org`, or `*` for all; every page may display it
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<AllowedOrigin>,
    /// What the service is called in the `Via` of its requests, by which it knows them when it is led to itself; a random name unless
    /// it is given
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
    /// The access at `listen`, and the administration listener. Reads the files.
    ///
    /// # Errors
    /// With a message for the user: if a file cannot be used, or if this would give everyone access by mistake.
    pub async fn access(&self, listen: &ResolvedAddress) -> anyhow::Result<ListenerAccess> {
        let admin_address = self.admin_address().await?;
        let (main, admin) = self.access_at(listen, admin_address.as_ref())?;
        Ok(ListenerAccess { main, admin: admin_address.zip(admin) })
    }

    /// The access at `listen` and at `admin_listen`, whatever the options say about the latter. Reads the files.
    ///
    /// # Errors
    /// As for [`access`](Self::access).
    pub fn access_at(
        &self,
        listen: &ResolvedAddress,
        admin_listen: Option<&ResolvedAddress>,
    ) -> anyhow::Result<(Access, Option<Access>)> {
        let signing_keys = signing_keys(&self.signing_key_file)?;
        let admin_tokens = self.admin_token_file.as_deref().map(admin_tokens).transpose()?.unwrap_or_default();
        self.check(listen, admin_listen, &admin_tokens)?;
        let listener = if listen.is_loopback() { Listener::Loopback } else { Listener::Public };
        let allow_origins = AllowedOrigins(self.allow_origin.clone());
        let main = Access { signing_keys, admin_tokens, allow_origins, listener, administration: None };
        // Web pages have no access to administration.
        let admin = Access { listener: Listener::Administration, allow_origins: AllowedOrigins::default(), ..main.clone() };
        let admin = admin_listen.map(|_| admin);
        Ok((main, admin))
    }

    /// All problems that keep a service from having this access and from listening.
    pub async fn problems(&self, listen: &ListenAddress) -> Vec<anyhow::Error> {
        let keys = self.signing_key_file.iter().filter_map(|file| signing_keys(&[file]).err());
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
            problems.extend(self.access(listen).await.err());
        }
        problems
    }

    async fn admin_address(&self) -> anyhow::Result<Option<ResolvedAddress>> {
        match &self.admin_listen {
            Some(address) => Ok(Some(address.resolve().await?)),
            None => Ok(None),
        }
    }

    /// The name of the service.
    pub fn pseudonym(&self) -> Pseudonym {
        self.via.clone().unwrap_or_else(Pseudonym::random)
    }

    fn check(&self, listen: &ResolvedAddress, admin: Option<&ResolvedAddress>, tokens: &AdminTokens) -> anyhow::Result<()> {
        anyhow::ensure!(
            admin.is_none_or(|admin| !admin.overlaps(listen)),
            "--admin-listen and --listen are the same address, {listen}; administration needs one of its own"
        );
        let signed = !self.signing_key_file.is_empty();
        anyhow::ensure!(
            !(signed && self.public),
            "--public lets anybody ask, and --signing-key-file only those who have a signature: leave out one of them"
        );
        anyhow::ensure!(
            signed || self.public || listen.is_loopback(),
            "--listen {listen} can be reached from other machines, and any client could have this service download whatever they \
             like. Give a key with which requests have to be signed (--signing-key-file FILE), or say that this is meant (--public), \
             or listen on this machine only (--listen 127.0.0.1:{})",
            listen.port()
        );
        if let Some(address) = admin {
            anyhow::ensure!(
                !tokens.is_empty() || address.is_loopback(),
                "--admin-listen {address} can be reached from other machines, and any client could store and delete what they \
                 like. Give tokens (--admin-token-file FILE), or listen on this machine only (--admin-listen 127.0.0.1:{})",
                address.port()
            );
        }
        Ok(())
    }
}
