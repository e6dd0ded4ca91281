//! Resolves host names, and checks every address before it is used.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use crate::access_rules::{AccessRules, Denied, is_localhost};

/// The maximum number of a name's addresses that are tried, one after the other. The rest are checked as well.
const MAX_ADDRESSES: usize = 16;

/// The maximum number of concurrent lookups by the system's resolver. They occupy threads that are also needed for other work, and if a
/// name server does not respond, they last longer than their callers wait.
const MAX_LOOKUPS: usize = 64;

/// Resolves host names. The results are checked before they are used.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of a name, which may end in a dot.
    ///
    /// # Errors
    /// When the name has no address or cannot be resolved.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// Resolves names as the system does, with its hosts file, name servers and search domains.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        static LOOKUPS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(MAX_LOOKUPS)));
        Box::pin(async move {
            let permit = LOOKUPS.clone().acquire_owned().await.map_err(io::Error::other)?;
            let name = name.to_owned();
            // The thread holds the permit, since the lookup occupies the thread even if its caller is no longer waiting.
            let lookup = move || {
                let addresses = (name.as_str(), 0).to_socket_addrs()?.map(|address| address.ip()).collect();
                drop(permit);
                Ok(addresses)
            };
            tokio::task::spawn_blocking(lookup).await?
        })
    }
}

/// A resolver that returns only allowed addresses.
#[derive(Clone)]
pub(crate) struct CheckedResolver {
    resolver: Arc<dyn Resolve>,
    rules: Arc<AccessRules>,
}

impl CheckedResolver {
    pub(crate) fn new(resolver: Arc<dyn Resolve>, rules: Arc<AccessRules>) -> Self {
        Self { resolver, rules }
    }

    /// The addresses of a name. If one of them is denied, so is the name; the error then contains a [`Denied`].
    pub(crate) async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if is_localhost(name) {
            return self.rules.localhost().map_err(io::Error::other);
        }
        let mut addresses = self.resolver.resolve(name).await?;
        for &address in &addresses {
            if let Err(denied) = self.rules.check_address(address) {
                tracing::debug!("refusing {name}, because its address {address} is denied");
                return Err(io::Error::other(Denied::Name { name: name.to_owned(), reason: Box::new(denied) }));
            }
        }
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        addresses.truncate(MAX_ADDRESSES);
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_cause::find_cause;

    /// Resolves every name to the same addresses.
    struct Fixed(Vec<IpAddr>);

    impl Resolve for Fixed {
        fn resolve<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
            Box::pin(async { Ok(self.0.clone()) })
        }
    }

    /// The checked result for a name with these addresses.
    async fn resolve_checked(addresses: &[&str], rules: AccessRules, name: &str) -> io::Result<Vec<IpAddr>> {
        let resolver = Fixed(addresses.iter().map(|address| address.parse().unwrap()).collect());
        CheckedResolver::new(Arc::new(resolver), Arc::new(rules)).resolve(name).await
    }

    #[tokio::test]
    async fn one_denied_address_denies_the_name() {
        let good = ["8.8.8.8", "2001:4860:4860::8888"];
        assert_eq!(resolve_checked(&good, AccessRules::default(), "a.example").await.unwrap().len(), 2);
        for bad in ["127.0.0.1", "::ffff:8.8.8.8", "fe80::1"] {
            for answers in [&[bad][..], &[good[0], good[1], bad], &[bad, good[0]]] {
                let error = resolve_checked(answers, AccessRules::default(), "a.example").await.unwrap_err();
                let Some(denied @ Denied::Name { name, .. }) = find_cause(&error) else { panic!("{error:?}") };
                assert_eq!(name, "a.example");
                assert!(!denied.to_string().contains(bad), "{denied}");
            }
        }
        assert!(resolve_checked(&[], AccessRules::default(), "a.example").await.is_err());
    }

    #[tokio::test]
    async fn long_list_of_addresses_is_truncated_after_the_check() {
        let many = vec!["8.8.8.8"; 1000];
        assert_eq!(resolve_checked(&many, AccessRules::default(), "a.example").await.unwrap().len(), MAX_ADDRESSES);
        let last_is_bad = [many, vec!["10.0.0.1"]].concat();
        assert!(
            find_cause::<Denied>(&resolve_checked(&last_is_bad, AccessRules::default(), "a.example").await.unwrap_err()).is_some()
        );
    }

    #[tokio::test]
    async fn localhost_is_not_passed_to_the_resolver() {
        for name in ["localhost", "LOCALHOST.", "a.localhost", "a.localhost."] {
            assert!(
                find_cause::<Denied>(&resolve_checked(&["8.8.8.8"], AccessRules::default(), name).await.unwrap_err()).is_some(),
                "{name}"
            );
            let rules = AccessRules { allow_addresses: vec!["::1/128".parse().unwrap()], ..AccessRules::default() };
            assert_eq!(resolve_checked(&["8.8.8.8"], rules, name).await.unwrap(), ["::1".parse::<IpAddr>().unwrap()], "{name}");
        }
        assert!(resolve_checked(&["8.8.8.8"], AccessRules::default(), "localhost.example").await.is_ok());
    }
}
