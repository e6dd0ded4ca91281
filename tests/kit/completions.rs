//! Completion scripts: each is accepted by its shell, and knows the commands and options.

use std::process::{Command, Stdio};

use media_cache_test_support::command::{CommandOutput, finish, run};

/// Shells with the command that checks a script without running it.
const SHELLS: [(&str, &[&str]); 3] = [("bash", &["bash", "-n"]), ("zsh", &["zsh", "-n"]), ("fish", &["fish", "--no-execute"])];

async fn script(shell: &str) -> String {
    run(&["completions", shell]).await.succeeded_silently()
}

/// Runs a shell.
async fn shell(arguments: &[&str], input: &str) -> CommandOutput {
    let mut command = Command::new(arguments[0]);
    command.args(&arguments[1..]).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command, input.as_bytes()).await
}

#[tokio::test]
async fn every_shell_accepts_its_script() {
    for (name, check) in SHELLS {
        let script = script(name).await;
        assert!(script.contains("max-size-mb") && !script.contains("compile-policy"), "{name}");
        if media_cache_test_skip::unless_installed(name) {
            continue;
        }
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("script");
        std::fs::write(&file, script).unwrap();
        let printed = shell(&[check, &[file.to_str().unwrap()]].concat(), "").await.succeeded_silently();
        assert_eq!(printed, "", "{name}");
    }
}

#[tokio::test]
async fn bash_completes_commands_options_and_values() {
    if media_cache_test_skip::unless_installed("bash") {
        return;
    }
    let script = script("bash").await;
    // What bash does when the tabulator key is pressed after the last word.
    let complete = |words: &str| {
        format!(
            "{script}\nCOMP_WORDS=(media-cache {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             function=$(complete -p media-cache | sed 's/.* -F \\([^ ]*\\) .*/\\1/')\n\
             $function media-cache \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\necho \"${{COMPREPLY[@]}}\""
        )
    };
    for (words, expected) in [
        ("ver", "verify"),
        ("policy ro", "rollback"),
        ("serve --max-size", "--max-size-mb"),
        ("serve --log-format js", "json"),
        ("completions zs", "zsh"),
    ] {
        assert_eq!(shell(&["bash"], &complete(words)).await.succeeded_silently().trim(), expected, "{words}");
    }
}

#[tokio::test]
async fn powershell_can_be_named_like_its_program() {
    assert_eq!(script("pwsh").await, script("powershell").await);
}

#[tokio::test]
async fn unknown_shell_is_refused_with_the_known_ones() {
    let stderr = run(&["completions", "tcsh"]).await.failed_with(2);
    assert!(stderr.contains("bash") && stderr.contains("zsh") && stderr.contains("fish"), "{stderr}");
}
