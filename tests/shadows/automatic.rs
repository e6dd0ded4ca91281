//! `--policy auto`: when the policy is switched.
