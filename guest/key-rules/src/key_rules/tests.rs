use super::*;
use crate::preset::PRESETS;

fn keys(rules: &str, table: &[(&str, &str)]) {
    let rules: KeyRules = rules.parse().unwrap();
    for (url, key) in table {
        assert_eq!(rules.key(url), *key, "{url}");
        assert_eq!(rules.key(key), *key, "a cache key is its own cache key");
    }
}

#[test]
fn without_rules_a_url_is_its_own_cache_key() {
    for url in
        ["https://CDN.discordapp.com/a?ex=1&#f", "HTTP://x", "test:a", "", "https://", "://", "ä", "https://x/?", "data:,a#b"]
    {
        assert!(matches!(KeyRules::default().key(url), Cow::Borrowed(key) if key == url), "{url}");
    }
}

#[test]
fn named_parameters_are_removed_and_everything_else_is_kept() {
    let table = [
        ("https://x.org/a?ex=1&is=2&hm=3&", "https://x.org/a"),
        ("https://x.org/a?ex=1&is=2&hm=3&#f", "https://x.org/a#f"),
        ("https://x.org/a?width=5&ex=1&is=2&hm=3&", "https://x.org/a?width=5"),
        ("https://x.org/a?ex=1&is=2&hm=3&=&format=webp&quality=lossless", "https://x.org/a?=&format=webp&quality=lossless"),
        ("https://x.org/a?b=%20+%2B&ex&c=d=e&ex=&f", "https://x.org/a?b=%20+%2B&c=d=e&f"),
        ("https://x.org/a?b&&ex=1&&c&", "https://x.org/a?b&c"),
        ("https://x.org?ex=1", "https://x.org"),
        ("https://x.org:8443/?ex=1", "https://x.org:8443/"),
        ("https://X.ORG/?ex=1", "https://X.ORG/"),
        ("https://x.org/a?ex=1?is=2", "https://x.org/a"),
        ("https://x.org/a?b=1;ex=2", "https://x.org/a?b=1;ex=2"),
        ("https://x.org/a?ex=1;b=2", "https://x.org/a?ex=1;b=2"),
        // There is nothing to remove, so nothing changes.
        ("https://x.org/a?", "https://x.org/a?"),
        ("https://x.org/a?b&&c&", "https://x.org/a?b&&c&"),
        ("https://x.org/a?Ex=1&exx=2&xex=3&e=ex", "https://x.org/a?Ex=1&exx=2&xex=3&e=ex"),
        ("https://x.org/a?%65x=1&e%78=2", "https://x.org/a?%65x=1&e%78=2"),
        ("https://x.org/a?amp;ex=1", "https://x.org/a?amp;ex=1"),
        ("https://x.org/ex=1&is=2/?b", "https://x.org/ex=1&is=2/?b"),
        ("https://x.org/a#?ex=1", "https://x.org/a#?ex=1"),
        ("https://x.org/a#b?c&ex=1", "https://x.org/a#b?c&ex=1"),
    ];
    keys("x.org:ex+is+hm", &table);
}

#[test]
fn rule_applies_only_to_its_host_or_with_a_wildcard_to_its_subdomains() {
    let table = [
        ("https://x.org/?ex", "https://x.org/"),
        ("https://a.x.org/?ex", "https://a.x.org/?ex"),
        ("https://notx.org/?ex", "https://notx.org/?ex"),
        ("https://x.org.evil.net/?ex", "https://x.org.evil.net/?ex"),
        ("https://x.org./?ex", "https://x.org./?ex"),
        ("https://a.y.org/?ex", "https://a.y.org/"),
        ("https://a.B.Y.org:1/?ex&b", "https://a.B.Y.org:1/?b"),
        ("https://y.org/?ex", "https://y.org/?ex"),
        ("https://.y.org/?ex", "https://.y.org/?ex"),
        ("https://ay.org/?ex", "https://ay.org/?ex"),
        ("https://[2001:DB8::1]:80/?ex", "https://[2001:DB8::1]:80/"),
        ("https://[2001:db8::2]/?ex", "https://[2001:db8::2]/?ex"),
        ("https://b.y.org/?ex&also", "https://b.y.org/"),
    ];
    keys("x.org:ex,*.y.org:ex,b.y.org:also,[2001:db8::1]:ex", &table);
}

#[test]
fn host_of_a_url_is_parsed_the_way_browsers_do() {
    let table = [
        // `\` ends an authority as `/` does, and the last `@` ends the credentials.
        (r"https://evil.net\@x.org/?ex=1", r"https://evil.net\@x.org/?ex=1"),
        (r"https://x.org\@evil.net/?ex=1", r"https://x.org\@evil.net/?ex=1"),
        ("file://C:/?ex=1", "file://C:/?ex=1"),
        (r"other://X.org\@evil.net/?ex=1", r"other://X.org\@evil.net/?ex=1"),
        ("https://x.org@evil.net/?ex=1", "https://x.org@evil.net/?ex=1"),
        ("https://a:b@x.org:80@evil.net/?ex=1", "https://a:b@x.org:80@evil.net/?ex=1"),
        ("https://User:Pass@x.org:80/?ex=1", "https://User:Pass@x.org:80/"),
        ("https://evil.net?@x.org/?ex=1", "https://evil.net?@x.org/?ex=1"),
        ("https://evil.net#@x.org/?ex=1", "https://evil.net#@x.org/?ex=1"),
        ("https://evil.net/x.org/?ex=1", "https://evil.net/x.org/?ex=1"),
        ("https://x.org:80:90/?ex=1", "https://x.org:80:90/"),
        // Browsers find a host in these too. Here, each of them is its own cache key.
        ("https:/x.org/?ex=1", "https:/x.org/?ex=1"),
        ("https:x.org/?ex=1", "https:x.org/?ex=1"),
        (r"https:\\x.org/?ex=1", r"https:\\x.org/?ex=1"),
        ("https:///x.org/?ex=1", "https:///x.org/?ex=1"),
        ("https://x%2Eorg/?ex=1", "https://x%2Eorg/?ex=1"),
        ("https://x.o\trg/?ex=1", "https://x.o\trg/?ex=1"),
        ("https://x.org/?e\nx=1", "https://x.org/?e\nx=1"),
        (" https://x.org/?ex=1", " https://x.org/?ex=1"),
        ("https://@/?ex=1", "https://@/?ex=1"),
        ("https://[x.org/?ex=1", "https://[x.org/?ex=1"),
        ("a:b://x.org/?ex=1", "a:b://x.org/?ex=1"),
        ("1a://x.org/?ex=1", "1a://x.org/?ex=1"),
    ];
    keys("x.org:ex", &table);
}

#[test]
fn host_case_rule_lowercases_only_the_host() {
    let table = [
        ("HTTPS://User@X.Org:80/Path?Query#Fragment", "https://User@x.org:80/Path?Query#Fragment"),
        (r"https://X.Org\Path", r"https://X.Org\Path"),
        ("https://BÜCHER.example/", "https://bÜcher.example/"),
        ("https://[2001:DB8::A]/A", "https://[2001:db8::a]/A"),
        ("https:/X.Org/", "https:/X.Org/"),
        ("test:A", "test:A"),
    ];
    keys("host-case", &table);
}

#[test]
fn a_fragment_is_removed_with_its_hash_sign() {
    keys("fragments", &[("https://x.org/a#b#c?d", "https://x.org/a"), ("https://X.org/?#", "https://X.org/?"), ("x:a#b", "x:a#b")]);
}

#[test]
fn the_cache_key_of_matrix_media_contains_only_the_server_and_the_id() {
    let table = [
        ("mxc://Example.ORG/aBc", "mxc://example.org/aBc"),
        ("MXC://example.org:8448/aBc?x=y#z", "mxc://example.org:8448/aBc"),
        ("mxc://example.org/aBc#z?x", "mxc://example.org/aBc"),
        ("mxc://example.org/aBc", "mxc://example.org/aBc"),
        ("mxc:Example.org/a?b", "mxc:Example.org/a?b"),
        ("mxcs://Example.org/a?b", "mxcs://Example.org/a?b"),
    ];
    let none = KeyRules::default();
    for (url, key) in table {
        assert_eq!(none.key(url), key, "{url}");
    }
    keys("example.org:x,fragments", &table[..4]);
}

#[test]
fn discord_attachment_has_one_cache_key_for_all_signatures() {
    let rules: KeyRules = "discord".parse().unwrap();
    let path = "/attachments/1/2/cat.png";
    let signed = |host: &str, ex: &str, rest: &str| format!("https://{host}{path}?ex={ex}&is=65e0&hm=0123abcd&{rest}");
    let key = format!("https://cdn.discordapp.com{path}");
    for ex in ["65f1", "65f2"] {
        assert_eq!(rules.key(&signed("cdn.discordapp.com", ex, "")), key);
        assert_eq!(rules.key(&signed("CDN.DiscordApp.com", ex, "#top")), key);
        let small = rules.key(&signed("media.discordapp.net", ex, "=&format=webp&width=100")).into_owned();
        assert_eq!(small, format!("https://media.discordapp.net{path}?=&format=webp&width=100"));
    }
    let elsewhere = signed("cdn.discordapp.com.evil.net", "65f1", "");
    assert_eq!(rules.key(&elsewhere), elsewhere);
}

#[test]
fn every_preset_can_be_written_out_as_individual_rules() {
    for preset in PRESETS {
        let own = preset.hosts.iter().map(|host| format!("{host}:{}", preset.parameters.join("+")));
        let own: KeyRules = own.chain(["fragments".into(), "host-case".into()]).map(|rule| rule.parse().unwrap()).collect();
        assert_eq!(preset.rules(), own, "{}", preset.name);
    }
}
