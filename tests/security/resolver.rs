//! A resolver that answers what it is told to, and remembers what it was asked.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use media_cache::download::{AccessRules, HttpDownloader, HttpOptions, Resolve};

/// Names and their answers, one for each time that they are asked for; the last one goes on.
#[derive(Default)]
pub struct Names {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    /// From now on a name has these answers.
    pub fn answer(&self, name: &str, answers: &[&[&str]]) {
        let addresses = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        self.answers.lock().unwrap().insert(name.to_owned(), answers.iter().map(addresses).collect());
    }

    /// What was asked for since this was last asked.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.get_mut(name) {
            Some(answers) if answers.len() > 1 => Ok(answers.remove(0)),
            Some(answers) => Ok(answers[0].clone()),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "there is no such name")),
        };
        Box::pin(async { answer })
    }
}

/// A downloader that asks these names, and may go to addresses in these ranges besides the public ones.
pub fn downloader(names: &Arc<Names>, allowed: &[&str]) -> HttpDownloader {
    let allow_addresses = allowed.iter().map(|range| range.parse().unwrap()).collect();
    let access = AccessRules { allow_addresses, ..AccessRules::default() };
    HttpDownloader::new(HttpOptions { access, resolver: names.clone(), ..HttpOptions::default() }).unwrap()
}
