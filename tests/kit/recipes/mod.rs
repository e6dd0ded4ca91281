//! The recipes in docs/recipes.md: a stand-in sends the requests that the other program sends.

mod imgproxy;
mod mastodon;
mod matrix;
mod misskey;

use media_cache_test_support::binary::binary;
use media_cache_test_support::http_client::HttpResponse;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::workspace::{workspace_file, workspace_path};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What `encodeURIComponent` escapes.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'!').remove(b'~').remove(b'*');

/// `encodeURIComponent` of JavaScript.
fn encode_component(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string().replace("%27", "'").replace("%28", "(").replace("%29", ")")
}

/// Asserts that a response has all bytes of media.
#[track_caller]
fn assert_media(response: &HttpResponse, mimetype: &str, body: &[u8]) {
    assert_eq!((response.status, response.header("content-type")), (200, mimetype), "{response:?}");
    assert_eq!(response.body, body);
}

/// A file of the recipes.
fn recipe(name: &str) -> String {
    workspace_file(format!("contrib/recipes/{name}"))
}

/// Starts a service with the configuration of a recipe, on free ports, with a temporary directory and other changes.
async fn serve(directory: &ServiceDirectory, configuration: &str, arguments: &[&str]) -> Service {
    let mut command =
        binary(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--allow-address", "127.0.0.0/8"]);
    command.arg("--config").arg(workspace_path(format!("contrib/recipes/{configuration}")));
    command.arg("--dir").arg(directory.cache()).args(arguments);
    Service::start_command(command, directory.path("no-token")).await
}

#[tokio::test]
async fn every_recipe_has_a_section_and_its_files_exist() {
    let page = workspace_file("docs/recipes.md");
    let mut files: Vec<_> =
        std::fs::read_dir(workspace_path("contrib/recipes")).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    for file in &files {
        let file = file.to_str().unwrap();
        assert!(page.contains(&format!("`contrib/recipes/{file}`")), "{file} is not in docs/recipes.md");
    }
    let named = page.split("`contrib/recipes/").skip(1).map(|rest| rest.split('`').next().unwrap());
    for name in named {
        assert!(files.iter().any(|file| file == name), "docs/recipes.md names {name}, which does not exist");
    }
}
