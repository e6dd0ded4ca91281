//! Permissions to store, delete, list, and replace the policy.

use http::Method;
use media_cache_test_support::command::run;
use media_cache_test_support::http_client::{ADMIN_TOKEN, HttpResponse, http_client, media_path, send};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::write_secret;
use reqwest::RequestBuilder;
use serde_json::Value;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

/// All administrative requests.
fn administration() -> Vec<(Method, String)> {
    vec![
        (Method::PUT, media_path(NOWHERE)),
        (Method::GET, "/entries".into()),
        (Method::GET, "/policy".into()),
        (Method::GET, "/policies".into()),
        (Method::PUT, "/policy?name=sieve".into()),
        (Method::POST, "/policy/rollback".into()),
        (Method::GET, "/component".into()),
        (Method::PUT, "/component?name=built-in".into()),
        (Method::DELETE, media_path(NOWHERE)),
        (Method::DELETE, "/entries?host=nowhere.invalid".into()),
    ]
}

async fn ask(request: RequestBuilder, method: &Method, path: &str) -> HttpResponse {
    let stores = *method == Method::PUT && path.starts_with("/media");
    send(if stores { request.body(png(1)) } else { request }).await
}

#[tokio::test]
async fn administration_is_refused_unless_it_is_enabled() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with_only(&["--listen", "127.0.0.1:0"]).await;
    for (method, path) in administration() {
        for token in [None, Some(ADMIN_TOKEN)] {
            let request = service.anonymous_request(method.clone(), &path);
            let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
            let answer = ask(request, &method, &path).await;
            let said = answer.problem(403);
            assert!(said.contains("--admin-token-file") && said.contains("--admin-listen"), "{method} {path}: {said}");
            assert_eq!((answer.code().as_str(), answer.header("www-authenticate")), ("administration-off", ""));
        }
    }
    assert_eq!(dir.disk_usage(), 0);
    service.media(&origin.serves("/a.png", "image/png", png(2))).await.is("miss");
    assert_eq!(service.stats().await["policy"]["name"], "lru");
}

#[tokio::test]
async fn only_tokens_from_the_token_file_authorize_administration() {
    let dir = ServiceDirectory::create();
    let (old, new) = ("the-token-of-last-month", "the-token-of-this-month");
    let file = dir.path("tokens");
    write_secret(&file, &format!("# since May\n{old}\n\n  {new}\r\n"));
    let service = dir.serve_with_only(&["--listen", "127.0.0.1:0", "--admin-token-file", file.to_str().unwrap()]).await;
    for (method, path) in administration() {
        let request = || service.anonymous_request(method.clone(), &path);
        let none = ask(request(), &method, &path).await;
        assert!(none.problem(401).contains("Authorization: Bearer"), "{method} {path}");
        assert_eq!((none.header("www-authenticate"), none.code().as_str()), ("Bearer realm=\"media-cache\"", "no-token"));
        for wrong in ["the-token-of-next-month", "the-token-of-last-mont", "# since May", ""] {
            let refused = ask(request().bearer_auth(wrong), &method, &path).await;
            refused.problem(401);
            assert!(refused.header("www-authenticate").ends_with("error=\"invalid_token\""), "{method} {path}");
            assert!(!refused.text().contains("month"), "{}", refused.text());
        }
    }
    assert_eq!((dir.disk_usage(), service.stats().await["policy"]["swaps"].as_u64()), (0, Some(0)));
    for token in [old, new] {
        for (method, path) in administration() {
            let answer = ask(service.anonymous_request(method.clone(), &path).bearer_auth(token), &method, &path).await;
            assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
        }
    }
    let log = service.log();
    assert!(!log.iter().any(|line| line.contains("month") || line.contains("can be read by ")), "{log:?}");
}

#[tokio::test]
async fn only_the_admin_listener_allows_administration_without_a_token() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let mut service = dir.serve_with_only(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]).await;
    let inside = format!("http://{}", service.admin_address().await);
    let client = http_client();
    for (method, path) in administration() {
        let outside = ask(service.anonymous_request(method.clone(), &path), &method, &path).await;
        assert_eq!(outside.code(), "administration-off", "{method} {path}");
        assert!(outside.problem(403).contains(&inside), "{method} {path}: {}", outside.text());
        let answer = ask(client.request(method.clone(), format!("{inside}{path}")), &method, &path).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
    }
    let url = origin.serves("/a.png", "image/png", png(1));
    send(client.request(Method::GET, format!("{inside}{}", media_path(&url)))).await.is("miss");
    service.media(&url).await.is("hit");
    service.stop().await;
}

#[tokio::test]
async fn admin_listener_without_tokens_refuses_requests_from_web_pages() {
    let dir = ServiceDirectory::create();
    let mut service = dir.serve_with_only(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]).await;
    let inside = service.admin_address().await;
    let client = http_client();
    let paths = [(Method::GET, "/stats".to_owned()), (Method::GET, media_path(NOWHERE))];
    for (method, path) in administration().into_iter().chain(paths) {
        let request = || client.request(method.clone(), format!("http://{inside}{path}"));
        for (name, value) in [
            ("origin", "https://evil.example".to_owned()),
            ("origin", format!("http://{}", service.address())),
            ("sec-fetch-site", "cross-site".to_owned()),
            ("host", format!("evil.example:{}", inside.port())),
        ] {
            let answer = ask(request().header(name, &value), &method, &path).await;
            answer.problem(403);
            assert_eq!(answer.code(), "from-a-web-page", "{method} {path}, {name}: {value}");
        }
    }
    assert_eq!(dir.disk_usage(), 0);
    for (name, value) in [("sec-fetch-site", "none".to_owned()), ("host", format!("localhost:{}", inside.port()))] {
        let answer = send(client.request(Method::GET, format!("http://{inside}/policy")).header(name, &value)).await;
        assert_eq!(answer.status, 200, "{name}: {value}");
    }
}

#[tokio::test]
async fn admin_listener_requires_a_token_if_tokens_are_configured() {
    let dir = ServiceDirectory::create();
    let mut service = dir.serve_with(&["--admin-listen", "127.0.0.1:0"]).await;
    let inside = format!("http://{}", service.admin_address().await);
    let request = || http_client().request(Method::GET, format!("{inside}/policy"));
    send(request()).await.problem(401);
    // A page does not know the token, so its origin does not matter.
    let answer = send(request().bearer_auth(ADMIN_TOKEN).header("origin", "https://admin.example")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn stats_of_a_public_service_require_an_admin_token() {
    let dir = ServiceDirectory::create();
    let file = dir.path("tokens");
    write_secret(&file, ADMIN_TOKEN);
    let arguments = ["--listen", "0.0.0.0:0", "--public", "--admin-token-file", file.to_str().unwrap()];
    let service = dir.serve_with_only(&arguments).await;
    assert_eq!(send(service.anonymous_request(Method::GET, "/stats")).await.code(), "no-token");
    let answer = send(service.anonymous_request(Method::GET, "/stats").bearer_auth(ADMIN_TOKEN)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for path in ["/healthz", "/readyz"] {
        assert_eq!(send(service.anonymous_request(Method::GET, path)).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn entries_are_listed_in_pages() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    for number in 0..5 {
        let url = format!("https://nowhere.invalid/{number}.png");
        assert_eq!(service.put(&url, "image/png", png(number)).await.status, 201);
    }
    service.media("https://nowhere.invalid/0.png").await.is("hit");
    let mut listed: Vec<Value> = Vec::new();
    let (mut path, mut pages) = ("/entries?limit=2".to_owned(), 0);
    loop {
        let page = service.get(&path).await;
        assert_eq!((page.status, page.header("content-type")), (200, "application/json"), "{}", page.text());
        let page = page.json();
        listed.extend(page["entries"].as_array().unwrap().iter().cloned());
        pages += 1;
        match page["next"].as_str() {
            Some(next) => path = format!("/entries?limit=2&after={next}"),
            None => break,
        }
    }
    let order: Vec<&str> = listed.iter().map(|entry| entry["url"].as_str().unwrap()).collect();
    assert_eq!(order, [1, 2, 3, 4, 0].map(|number| format!("https://nowhere.invalid/{number}.png")));
    assert!(pages >= 3, "{pages}");
    let last = &listed[4];
    assert_eq!((&last["mimetype"], &last["filename"], &last["hits"]), (&"image/png".into(), &"0.png".into(), &1.into()));
    assert_eq!((&last["size"], &last["resident"]), (&png(0).len().into(), &true.into()));
    assert!(last["stored_at"].as_f64() > Some(1.7e9) && last["accessed_at"].as_f64() >= last["stored_at"].as_f64(), "{last}");
    assert_eq!(service.get("/entries").await.json()["entries"].as_array().unwrap().len(), 5);
    service.stop().await;
    let on_disk = dir.listed().await;
    assert_eq!((on_disk.len(), &on_disk[4]["url"], &on_disk[4]["disk_size"]), (5, &last["url"], &last["disk_size"]));
}

#[tokio::test]
async fn unknown_and_invalid_query_parameters_are_refused() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    for path in ["/stats?all", "/policy?name=lru", "/policies?name=lru", "/entries?page=2", "/entries?limit=0", "/entries?after=x"]
    {
        let answer = service.get(path).await;
        answer.problem(400);
        assert_eq!(answer.code(), "bad-request", "{path}");
    }
    let answer = send(service.request(Method::POST, "/policy/rollback?name=lru")).await;
    assert!(answer.problem(400).contains("unknown parameter `name`"));
}

#[tokio::test]
async fn commands_give_advice_on_tokens_when_the_service_refuses_a_request() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let server = format!("http://{}", service.address());
    let other = dir.path("other");
    write_secret(&other, "another-token-altogether");
    let asked = async |arguments: &[&str]| run(&[&["policy", "show", "--server", &server], arguments].concat()).await;
    let said = asked(&[]).await.failed();
    assert!(said.contains("requires a token") && said.contains("--token-file"), "{said}");
    let said = asked(&["--token-file", other.to_str().unwrap()]).await.failed();
    assert!(said.contains("the token in this request is not valid") && !said.contains("altogether"), "{said}");
    let said = asked(&["--token-file", "/no/such/file"]).await.failed();
    assert!(said.contains("cannot read /no/such/file"), "{said}");
    asked(&["--token-file", service.token_file()]).await.succeeded();
    let elsewhere = ServiceDirectory::create();
    let service = elsewhere.serve_with_only(&["--listen", "127.0.0.1:0"]).await;
    let said = run(&["policy", "show", "--server", &format!("http://{}", service.address())]).await.failed();
    assert!(said.contains("--admin-token-file") && said.contains("--server"), "{said}");
}

#[tokio::test]
async fn service_refuses_to_start_on_a_public_address_without_keys_or_public() {
    let dir = ServiceDirectory::create();
    let key = dir.path("key");
    write_secret(&key, "correct horse battery staple");
    let key = key.to_str().unwrap();
    for (arguments, words) in [
        (&["--listen", "0.0.0.0:0"][..], &["--listen 0.0.0.0:0 is reachable", "--signing-key-file", "--public", "127.0.0.1"][..]),
        (&["--listen", "[::]:0"], &["--listen [::]:0 is reachable"]),
        (&["--listen", "192.0.2.1:80"], &["--listen 192.0.2.1:80 is reachable"]),
        (
            &["--listen", "127.0.0.1:0", "--admin-listen", "0.0.0.0:0"],
            &["--admin-listen 0.0.0.0:0 is reachable", "--admin-token-file"],
        ),
        (&["--listen", "0.0.0.0:0", "--public", "--signing-key-file", key], &["--signing-key-file", "use only one of them"]),
        (&["--listen", "0.0.0.0:0", "--public", "--camo-key-file", key], &["--camo-key-file", "use only one of them"]),
    ] {
        let said = dir.run(&[&["serve"], arguments].concat()).await.failed();
        assert!(words.iter().all(|word| said.contains(word)), "{arguments:?}: {said}");
        assert!(!dir.cache().exists());
    }
    for arguments in [&["--public"][..], &["--signing-key-file", key], &["--camo-key-file", key]] {
        let service = dir.serve_with_only(&[&["--listen", "0.0.0.0:0"], arguments].concat()).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn error_for_an_unusable_secrets_file_names_the_file_but_not_its_content() {
    let dir = ServiceDirectory::create();
    let file = dir.path("secrets");
    let name = file.to_str().unwrap();
    for (text, option, words) in [
        ("fifteen-letters", "--signing-key-file", "line 1, cannot be used: it has 15 bytes"),
        ("sixteen-letters!\n\nshort", "--signing-key-file", "line 3, cannot be used: it has 5 bytes"),
        ("# nothing\n\n", "--signing-key-file", "contains neither a key nor a token"),
        ("fifteen-letters", "--camo-key-file", "line 1, cannot be used: it has 15 bytes"),
        ("fifteen-letters", "--admin-token-file", "line 1, cannot be used: it has 15 bytes"),
        ("a token with blanks", "--admin-token-file", "line 1, cannot be used: a token may contain only"),
    ] {
        write_secret(&file, text);
        let said = dir.run(&["serve", "--listen", "127.0.0.1:0", option, name]).await.failed();
        assert!(said.contains(name) && said.contains(words), "{said}");
        assert!(!said.contains("teen-letters") && !said.contains("with blanks"), "{said}");
    }
    let said = dir.run(&["serve", "--listen", "127.0.0.1:0", "--admin-token-file", "/no/such/file"]).await.failed();
    assert!(said.contains("cannot read /no/such/file"), "{said}");
    let readable = dir.write("readable", ADMIN_TOKEN.as_bytes());
    std::fs::set_permissions(&readable, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    let readable = readable.to_str().unwrap();
    let service = dir.serve_with_only(&["--listen", "127.0.0.1:0", "--admin-token-file", readable]).await;
    service.wait_for_log(&format!("{readable} is readable by users other than its owner (mode 640)")).await;
}
