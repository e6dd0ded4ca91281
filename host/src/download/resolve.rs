//! Finding the addresses of a host, with a say in which of them are used.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use super::access::{AccessRules, Denied, is_localhost};

/// How many of the addresses of a name are kept to be connected to, one after the other. All are checked.
const MOST_ADDRESSES: usize = 16;

/// How many names the system is asked for at once. It answers on threads that others need as well, and a name server that never
/// answers keeps one for longer than whoever asked will wait.
const MOST_LOOKUPS: usize = 64;

/// What knows the addresses of names. Whatever it answers is checked before it is used.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of a name, which may end in a dot.
    ///
    /// # Errors
    /// When it is not known, or cannot be asked for.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// What the system is configured to ask: its hosts file, its name servers, with its search domains.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        static LOOKUPS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(MOST_LOOKUPS)));
        Box::pin(async move {
            let permit = LOOKUPS.clone().acquire_owned().await.map_err(io::Error::other)?;
            let name = name.to_owned();
            // The permit is the thread's: it is taken for as long as the system works on it, whether or not anybody waits.
            let look_up = move || {
                let addresses = (name.as_str(), 0).to_socket_addrs()?.map(|address| address.ip()).collect();
                drop(permit);
                Ok(addresses)
            };
            tokio::task::spawn_blocking(look_up).await?
        })
    }
}

/// A resolver whose answers may be connected to, all of them.
#[derive(Clone)]
pub(super) struct CheckedResolver {
    resolver: Arc<dyn Resolve>,
    rules: Arc<AccessRules>,
}

impl CheckedResolver {
    pub(super) fn new(resolver: Arc<dyn Resolve>, rules: Arc<AccessRules>) -> Self {
        Self { resolver, rules }
    }

    /// The addresses of a name. A single one that must not be connected to spoils the others; the error holds a [`Denied`] then.
    pub(super) async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if is_localhost(name) {
            return self.rules.localhost().map_err(io::Error::other);
        }
        let mut addresses = self.resolver.resolve(name).await?;
        for &address in &addresses {
            if let Err(why) = self.rules.check_address(address) {
                tracing::debug!("{name} is refused, because it has the address {address}");
                return Err(io::Error::other(Denied::Name { name: name.to_owned(), why: Box::new(why) }));
            }
        }
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        addresses.truncate(MOST_ADDRESSES);
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::download::cause::find;

    /// Knows one name, whichever it is asked for.
    struct Answers(Vec<IpAddr>);

    impl Resolve for Answers {
        fn resolve<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
            Box::pin(async { Ok(self.0.clone()) })
        }
    }

    /// What a name with these addresses comes to.
    async fn checked(addresses: &[&str], rules: AccessRules, name: &str) -> io::Result<Vec<IpAddr>> {
        let answers = Answers(addresses.iter().map(|address| address.parse().unwrap()).collect());
        CheckedResolver::new(Arc::new(answers), Arc::new(rules)).resolve(name).await
    }

    #[tokio::test]
    async fn one_answer_that_must_not_be_connected_to_spoils_all_of_them() {
        let good = ["8.8.8.8", "2001:4860:4860::8888"];
        assert_eq!(checked(&good, AccessRules::default(), "a.example").await.unwrap().len(), 2);
        for bad in ["127.0.0.1", "::ffff:8.8.8.8", "fe80::1"] {
            for answers in [&[bad][..], &[good[0], good[1], bad], &[bad, good[0]]] {
                let error = checked(answers, AccessRules::default(), "a.example").await.unwrap_err();
                let Some(why @ Denied::Name { name, .. }) = find(&error) else { panic!("{error:?}") };
                assert_eq!(name, "a.example");
                assert!(!why.to_string().contains(bad), "{why}");
            }
        }
        assert!(checked(&[], AccessRules::default(), "a.example").await.is_err());
    }

    #[tokio::test]
    async fn an_answer_without_end_is_cut_short_once_it_is_checked() {
        let many = vec!["8.8.8.8"; 1000];
        assert_eq!(checked(&many, AccessRules::default(), "a.example").await.unwrap().len(), MOST_ADDRESSES);
        let last_is_bad = [many, vec!["10.0.0.1"]].concat();
        assert!(find::<Denied>(&checked(&last_is_bad, AccessRules::default(), "a.example").await.unwrap_err()).is_some());
    }

    #[tokio::test]
    async fn no_resolver_is_asked_for_localhost() {
        for name in ["localhost", "LOCALHOST.", "a.localhost", "a.localhost."] {
            assert!(find::<Denied>(&checked(&["8.8.8.8"], AccessRules::default(), name).await.unwrap_err()).is_some(), "{name}");
            let rules = AccessRules { allow_addresses: vec!["::1/128".parse().unwrap()], ..AccessRules::default() };
            assert_eq!(checked(&["8.8.8.8"], rules, name).await.unwrap(), ["::1".parse::<IpAddr>().unwrap()], "{name}");
        }
        assert!(checked(&["8.8.8.8"], AccessRules::default(), "localhost.example").await.is_ok());
    }
}
