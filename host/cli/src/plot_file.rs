//! The file for miss ratio curves.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;

use crate::checks::check_parent;

/// A file whose name ends in `.svg`, in upper or lower case. Curves have no other format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlotFile(PathBuf);

/// The name has the extension of another format.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("curves are written as SVG; give a file whose name ends in .svg")]
pub struct InvalidPlotFile;

impl FromStr for PlotFile {
    type Err = InvalidPlotFile;

    fn from_str(text: &str) -> Result<Self, InvalidPlotFile> {
        let path = PathBuf::from(text);
        let is_svg = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
        if is_svg { Ok(Self(path)) } else { Err(InvalidPlotFile) }
    }
}

impl PlotFile {
    /// The path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Checks that the directory of the file exists.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn check(&self) -> anyhow::Result<()> {
        check_parent(&self.0, "--plot").with_context(|| format!("cannot write {}", self.0.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_file_names_ending_in_svg_are_accepted() {
        for name in ["a.svg", "a.SVG", "/b/c.d.Svg"] {
            assert_eq!(name.parse::<PlotFile>().unwrap().path(), Path::new(name));
        }
        for name in ["", "a", "a.png", "svg", ".svg", "a.svg.png", "a.svgz"] {
            assert_eq!(name.parse::<PlotFile>(), Err(InvalidPlotFile), "{name}");
        }
    }
}
