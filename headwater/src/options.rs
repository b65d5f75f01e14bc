//! Options as environment variables: every one has a name, and a name that no option has is refused, because a
//! misspelt setting that is silently passed over is found out too late.

use std::collections::BTreeSet;

use anyhow::bail;

/// How every option's variable starts.
const PREFIX: &str = "HEADWATER_";
/// Read by the tests, which start this binary with it.
const OF_THE_TESTS: [&str; 1] = ["HEADWATER_BINARY"];

/// The variables that some subcommand reads.
pub fn variables(command: &clap::Command) -> BTreeSet<String> {
    let own = command
        .get_arguments()
        .filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned));
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}

/// Refuses variables of ours that no subcommand reads. One file of variables may serve all roles.
pub fn refuse_unknown(
    command: &clap::Command,
    environment: impl Iterator<Item = (String, String)>,
) -> anyhow::Result<()> {
    let known = variables(command);
    let unknown = environment
        .filter(|(name, value)| name.starts_with(PREFIX) && !from_kubernetes(name, value))
        .map(|(name, _)| name)
        .filter(|name| !known.contains(name) && !OF_THE_TESTS.contains(&name.as_str()));
    let unknown: BTreeSet<String> = unknown.collect();
    if let Some(first) = unknown.first() {
        let others = match unknown.len() {
            1 => String::new(),
            more => format!(" (and {} more)", more - 1),
        };
        bail!(
            "{first}{others} is no option of any role; `headwater help ROLE` lists them, and infra/headwater.env.sample"
        );
    }
    Ok(())
}

/// A Kubernetes service named `headwater-…` puts variables of this form into every pod of its namespace.
fn from_kubernetes(name: &str, value: &str) -> bool {
    let address = value.starts_with("tcp://") || value.starts_with("udp://");
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && address)
        || [
            "_TCP",
            "_UDP",
            "_TCP_PROTO",
            "_UDP_PROTO",
            "_TCP_PORT",
            "_UDP_PORT",
            "_TCP_ADDR",
            "_UDP_ADDR",
        ]
        .iter()
        .any(|end| name.strip_suffix(end).is_some_and(|rest| rest.contains("_PORT_")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::Cli;

    fn sample() -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/headwater.env.sample");
        std::fs::read_to_string(path).expect("the sample file")
    }

    /// Name, value and the comment lines above, of every setting in the sample file.
    fn settings(sample: &str) -> Vec<(String, String, usize)> {
        let mut comments = 0;
        let mut settings = Vec::new();
        for line in sample.lines() {
            let setting = line.strip_prefix('#').unwrap_or(line);
            match setting.split_once('=') {
                Some((name, value)) if name.starts_with(PREFIX) => {
                    settings.push((name.to_owned(), value.to_owned(), comments));
                    comments = 0;
                }
                _ if line.starts_with('#') => comments += 1,
                _ => comments = 0,
            }
        }
        settings
    }

    fn defaults(command: &clap::Command, into: &mut BTreeMap<String, BTreeSet<String>>) {
        for argument in command.get_arguments() {
            let Some(name) = argument.get_env().and_then(|name| name.to_str()) else {
                continue;
            };
            let values: Vec<_> = argument
                .get_default_values()
                .iter()
                .filter_map(|v| v.to_str())
                .collect();
            let known = into.entry(name.to_owned()).or_default();
            if !values.is_empty() {
                known.insert(values.join(","));
            }
        }
        command.get_subcommands().for_each(|command| defaults(command, into));
    }

    #[test]
    fn the_sample_file_holds_every_option_once_with_its_default_and_a_word_on_it() {
        let mut known = BTreeMap::new();
        defaults(&Cli::command(), &mut known);
        let settings = settings(&sample());
        let mut seen = BTreeSet::new();
        for (name, value, comments) in &settings {
            let defaults = known
                .get(name)
                .unwrap_or_else(|| panic!("{name} is in the sample file and no option"));
            assert!(seen.insert(name.clone()), "{name} is in the sample file twice");
            assert!(*comments > 0, "{name} has no comment");
            assert!(
                defaults.is_empty() || defaults.contains(value),
                "{name}: the sample says {value:?}, not {defaults:?}"
            );
        }
        let missing: Vec<_> = known.keys().filter(|name| !seen.contains(*name)).collect();
        assert!(missing.is_empty(), "options that the sample file lacks: {missing:#?}");
    }

    #[test]
    fn every_option_of_every_role_is_an_environment_variable_too() {
        for role in Cli::command()
            .get_subcommands()
            .filter(|role| role.get_name() != "channel")
        {
            for argument in role.get_arguments() {
                let id = argument.get_id().as_str();
                assert!(
                    ["help", "version"].contains(&id) || argument.get_env().is_some(),
                    "{}: {id}",
                    role.get_name()
                );
            }
        }
    }

    #[test]
    fn misspelt_variables_are_refused_by_name() {
        let ask = |name: &str, value: &str| {
            refuse_unknown(&Cli::command(), [(name.to_owned(), value.to_owned())].into_iter())
        };
        assert!(ask("HEADWATER_LOG", "info").is_ok());
        assert!(ask("PATH", "/bin").is_ok());
        assert!(ask("HEADWATER_API_SERVICE_HOST", "10.0.0.1").is_ok());
        assert!(ask("HEADWATER_API_PORT", "tcp://10.0.0.1:80").is_ok());
        assert!(ask("HEADWATER_API_PORT_80_TCP_ADDR", "10.0.0.1").is_ok());
        let refusal = ask("HEADWATER_REDIS_ADDRESS", "x")
            .expect_err("no such option")
            .to_string();
        assert!(refusal.starts_with("HEADWATER_REDIS_ADDRESS is no option"), "{refusal}");
    }

    #[test]
    fn malformed_and_missing_values_are_refused_by_name() {
        for (arguments, expected) in [
            (vec!["--api-listen", "nowhere"], "--api-listen"),
            (vec!["--api-database-connections", "0"], "--api-database-connections"),
            (vec!["--log-format", "loud"], "--log-format"),
            (vec!["--api-listen", "127.0.0.1:0"], "--rpc-secret"),
            (vec!["--api-lisen", "127.0.0.1:0"], "--api-lisen"),
        ] {
            let words = ["headwater", "api", "--database-url", "postgres://u@h/d"]
                .into_iter()
                .chain(arguments);
            let refusal = Cli::try_parse_from(words).err().expect("refused").to_string();
            assert!(refusal.contains(expected), "{refusal}");
        }
    }
}
