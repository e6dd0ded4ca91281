//! Finds out what is wrong with the options of `serve`, without serving.

use anyhow::Context;
use media_cache::Spool;
use media_cache_http_downloader::OriginConnections;

use crate::checks::{check_directory, check_trace};
use crate::engine::engine;
use crate::policy_option::PolicyOption;
use crate::serve::options::Serve;

impl Serve {
    /// Contacts the store of the second tier, if there is one. Returns what it is, and the problems.
    pub async fn contact_tier(&self) -> Option<(String, Vec<anyhow::Error>)> {
        // Other problems of the options are reported without contact.
        let tier = self.tier.open().ok()??;
        Some(tier.contact().await)
    }

    /// Problems that would keep a service from starting, as far as they can be found without listening and without touching the directory.
    pub async fn problems(&self) -> Vec<anyhow::Error> {
        let directory = check_directory(self.storage.dir()).err();
        let disk_space = self.disk_space.check().err();
        let trace = self.record_trace.as_deref().and_then(|trace| check_trace(trace).err());
        let files = self.file_budget(self.listeners.has_admin());
        let converter = self.ingest.check_converter().await.err();
        let tier = self.tier.open().err();
        let traces = self.traces.problem();
        let shadows =
            engine().ok().and_then(|engine| self.shadows.problem(engine.policies(), self.storage.policy == PolicyOption::Auto));
        let tls = self.tls.certificate().err();
        let cache = self.try_out(files.as_ref().map_or(0, |files| files.entries)).await.err();
        let mut problems = self.listeners.problems(&self.listen).await;
        problems.extend(
            [directory, disk_space, trace, files.err(), converter, tls, tier, traces, shadows, cache].into_iter().flatten(),
        );
        problems
    }

    /// Opens an empty cache in a temporary directory, which checks the component, the policy and its options.
    pub async fn try_out(&self, max_open_files: u32) -> anyhow::Result<()> {
        let empty = tempfile::tempdir().context("cannot create a temporary directory to try the options in")?;
        let spool = Spool::temporary();
        let via = Some(self.listeners.pseudonym().to_string());
        let downloader = self.ingest.downloader(
            spool,
            self.downloads.limiter(self.downloads.max_downloads()),
            OriginConnections::default(),
            None,
            via,
        )?;
        let engine = engine()?;
        let component = engine.cache(&self.storage.component())?;
        let cache = self.configure(engine, component, &self.storage.policy.start(), max_open_files)?.downloader(downloader);
        let cache = cache.shared_transcoder(self.ingest.transcoder()).directory(empty.path()).open().await?;
        Ok(cache.close().await?)
    }
}
