//! `--policy auto`.
