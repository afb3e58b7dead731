//! Reads a command line as `getopt_long` of the C library does, because scripts rely on its details: abbreviated long names,
//! clustered short ones, optional arguments that have to be attached, options behind other words.

/// Whether an option has an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    /// None.
    None,
    /// One, attached or the next word.
    Required,
    /// Perhaps one, attached.
    Optional,
}

/// One option. `K` names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opt<K> {
    /// Its name for the program.
    pub(super) key: K,
    /// Its letter.
    pub(super) short: Option<char>,
    /// Its long name.
    pub(super) long: &'static str,
    /// What follows it.
    pub(super) argument: Argument,
    /// What the usage shows for the argument.
    pub(super) placeholder: &'static str,
    /// What the usage says.
    pub(super) help: &'static str,
    /// Whether keepalived lacks it. Such a name cannot be abbreviated, so that no abbreviation becomes ambiguous by it.
    pub(super) ours: bool,
}

/// What the command line holds, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item<K> {
    /// An option with its argument.
    Option {
        /// Which.
        key: K,
        /// As written, for messages: `-f` or `--use-file`.
        shown: String,
        /// Its argument.
        value: Option<String>,
    },
    /// No such option; as written.
    Unknown(String),
    /// An option without the argument that it needs; as written.
    Missing(String),
    /// A word that belongs to no option.
    Stray(String),
}

/// Takes the words behind the program's name apart.
pub(super) fn parse<K: Copy>(options: &[Opt<K>], words: &[String]) -> Vec<Item<K>> {
    let mut items = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            items.extend(rest.by_ref().cloned().map(Item::Stray));
        } else if let Some(long) = word.strip_prefix("--") {
            items.push(parse_long(options, long, &mut rest));
        } else if let Some(cluster) = word.strip_prefix('-').filter(|cluster| !cluster.is_empty()) {
            parse_cluster(options, cluster, &mut rest, &mut items);
        } else {
            items.push(Item::Stray(word.clone()));
        }
    }
    items
}

fn parse_long<'a, K: Copy>(options: &[Opt<K>], text: &str, rest: &mut impl Iterator<Item = &'a String>) -> Item<K> {
    let (name, attached) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let Some(option) = find_long(options, name) else {
        return Item::Unknown(format!("--{text}"));
    };
    let shown = format!("--{}", option.long);
    let value = match (option.argument, attached) {
        (Argument::None, Some(_)) => return Item::Unknown(format!("--{text}")),
        (Argument::Required, None) => rest.next().cloned(),
        (Argument::None | Argument::Optional, attached) | (Argument::Required, attached @ Some(_)) => attached,
    };
    complete(option, shown, value)
}

/// The option of this name, or the only one that begins with it.
fn find_long<'a, K>(options: &'a [Opt<K>], name: &str) -> Option<&'a Opt<K>> {
    let exact = options.iter().find(|option| option.long == name);
    exact.or_else(|| {
        let mut matching = options
            .iter()
            .filter(|option| !option.ours && option.long.starts_with(name));
        matching.next().filter(|_| matching.next().is_none())
    })
}

fn parse_cluster<'a, K: Copy>(
    options: &[Opt<K>],
    cluster: &str,
    rest: &mut impl Iterator<Item = &'a String>,
    items: &mut Vec<Item<K>>,
) {
    let mut letters = cluster.chars();
    while let Some(letter) = letters.next() {
        let shown = format!("-{letter}");
        let Some(option) = options.iter().find(|option| option.short == Some(letter)) else {
            items.push(Item::Unknown(shown));
            continue;
        };
        if option.argument == Argument::None {
            items.push(complete(option, shown, None));
            continue;
        }
        let attached = Some(letters.as_str().to_owned()).filter(|text| !text.is_empty());
        let value = match option.argument {
            Argument::Required => attached.or_else(|| rest.next().cloned()),
            Argument::Optional | Argument::None => attached,
        };
        items.push(complete(option, shown, value));
        break;
    }
}

/// keepalived takes an empty argument for a missing one.
fn complete<K: Copy>(option: &Opt<K>, shown: String, value: Option<String>) -> Item<K> {
    let empty = value.as_ref().is_some_and(String::is_empty);
    if empty || (value.is_none() && option.argument == Argument::Required) {
        return Item::Missing(shown);
    }
    Item::Option {
        key: option.key,
        shown,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: [Opt<char>; 5] = [
        option('f', "use-file", Argument::Required, false),
        option('n', "dont-fork", Argument::None, false),
        option('t', "config-test", Argument::Optional, false),
        option('i', "config-id", Argument::Required, false),
        option('c', "control", Argument::Required, true),
    ];

    const fn option(key: char, long: &'static str, argument: Argument, ours: bool) -> Opt<char> {
        Opt {
            key,
            short: if ours { None } else { Some(key) },
            long,
            argument,
            placeholder: "",
            help: "",
            ours,
        }
    }

    /// Items in short: options as `key=value`, others marked.
    fn read(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let show = |item: Item<char>| match item {
            Item::Option { key, value, .. } => value.map_or(key.to_string(), |value| format!("{key}={value}")),
            Item::Unknown(text) => format!("unknown {text}"),
            Item::Missing(text) => format!("missing {text}"),
            Item::Stray(text) => format!("stray {text}"),
        };
        parse(&OPTIONS, &words).into_iter().map(show).collect()
    }

    #[test]
    fn arguments_are_attached_or_follow() {
        assert_eq!(
            read("-f a -fb -nfc --use-file d --use-file=e"),
            ["f=a", "f=b", "n", "f=c", "f=d", "f=e"]
        );
    }

    #[test]
    fn optional_arguments_are_attached_only() {
        assert_eq!(
            read("-t a -tb -t=c --config-test d --config-test=e"),
            ["t", "stray a", "t=b", "t==c", "t", "stray d", "t=e"]
        );
    }

    #[test]
    fn long_names_are_abbreviated_where_keepalived_has_only_one_of_them() {
        assert_eq!(read("--use=a --dont --config-i b"), ["f=a", "n", "i=b"]);
        assert_eq!(
            read("--config --contro x"),
            ["unknown --config", "unknown --contro", "stray x"]
        );
        assert_eq!(read("--control x"), ["c=x"]);
    }

    #[test]
    fn what_is_wrong_is_shown_as_written() {
        assert_eq!(
            read("-Q --bogus --dont-fork=x"),
            ["unknown -Q", "unknown --bogus", "unknown --dont-fork=x"]
        );
        assert_eq!(read("--use-file= -f"), ["missing --use-file", "missing -f"]);
        assert_eq!(read("a -n -- -n"), ["stray a", "n", "stray -n"]);
    }
}
