//! `media-cache component show|swap|rollback|export`: the cache component of a running service, and the components as files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use media_cache_server::{BUILT_IN, MAX_COMPONENT_BYTES};
use reqwest::Method;
use serde_json::Value;

use crate::component_export::Export;
use crate::output;
use crate::policy::text;
use crate::server::{Server, read_component};

/// The commands for the cache component and for the components that come with this program.
#[derive(Subcommand)]
pub enum Component {
    /// Show the cache component of a running service
    Show(Show),
    /// Replace the cache component of a running service
    ///
    /// The new component loads the index log while the active one serves, and then takes over: no request fails, and no hit is lost. If it
    /// cannot take over, the active one keeps serving. The next start also uses the new one, unless --component has changed by then.
    Swap(Swap),
    /// Restore the previous cache component
    Rollback(Rollback),
    /// Write the built-in components, their interfaces and a manifest to a directory, for other hosts
    Export(Export),
}

/// `media-cache component show`.
#[derive(Args)]
pub struct Show {
    #[command(flatten)]
    server: Server,
}

/// `media-cache component swap`.
#[derive(Args)]
pub struct Swap {
    /// The component file, or `built-in` for the component that comes with the service
    #[arg(value_name = "FILE")]
    component: PathBuf,
    #[command(flatten)]
    server: Server,
}

/// `media-cache component rollback`.
#[derive(Args)]
pub struct Rollback {
    #[command(flatten)]
    server: Server,
}

impl Component {
    /// Runs the command.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Show(Show { server }) => {
                let component = server.client()?.document(Method::GET, "component", &[]).await?;
                output::document(&component, server.json, show)?;
            }
            Self::Swap(Swap { component, server }) => {
                let client = server.client()?;
                let component = if component == Path::new(BUILT_IN) {
                    client.document(Method::PUT, "component", &[("name".into(), BUILT_IN.into())]).await?
                } else {
                    let component = read_component("cache component", &component, MAX_COMPONENT_BYTES)?;
                    client.send_component("component", &[], component).await?
                };
                output::document(&component, server.json, in_place)?;
            }
            Self::Export(export) => return export.run(),
            Self::Rollback(Rollback { server }) => {
                let component = server.client()?.document(Method::POST, "component/rollback", &[]).await?;
                output::document(&component, server.json, in_place)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn in_place(component: &Value) -> Vec<String> {
    vec![format!("{} {} is active", text(&component["name"]), text(&component["version"]))]
}

fn show(component: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push(format!("{name:<18} {value}"));
    line("component", format!("{} {}", text(&component["name"]), text(&component["version"])));
    line("from", text(&component["origin"]).into());
    line("digest", text(&component["digest"]).into());
    line("swaps", component["swaps"].to_string());
    line("failed swaps", component["failed_swaps"].to_string());
    for (name, key) in [("before", "previous"), ("swapping to", "swap"), ("failed to start", "fallback_from")] {
        let other = &component[key];
        if !other.is_null() {
            line(name, format!("{} {} ({})", text(&other["name"]), text(&other["version"]), text(&other["origin"])));
        }
    }
    lines
}
