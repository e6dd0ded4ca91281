//! Which URLs are the same entry.
