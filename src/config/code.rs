//! The stable names of problems, each with an explanation.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

macro_rules! codes {
    ($($variant:ident $name:literal $explanation:literal)*) => {
        /// Which problem. The names are stable; a name that is no longer used is not used again.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = concat!("`", $name, "`: see [`Self::explanation`].")] $variant,)*
        }

        impl Code {
            /// All of them, in the order of their definition.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name that a user sees.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means and what to do, in plain words.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation,)* }
            }
        }
    };
}

codes! {
    FileMissing "file-missing" "A file that is named does not exist. keepalived goes on without an included file; look at the name, and at the directory that relative names start from."
    FileUnusable "file-unusable" "A file is a directory, executable, or cannot be opened. keepalived skips such files: a configuration file must be a regular file without execute permission."
    SeveralFiles "several-files" "The name of the main file is a pattern with several matches. All of them are read, one behind the other."
    IncludeTooDeep "include-too-deep" "Files include each other too deep; most often a file includes itself."
    LineTooLong "line-too-long" "A line is longer than keepalived can read. The whole line is ignored."
    NulByte "nul-byte" "A line has NUL bytes; is this a text file? The line is ignored."
    TooMuchText "too-much-text" "Definitions and sequences make more text than a configuration may have. Most often a ~SEQ has one zero too many."
    BadSequence "bad-sequence" "A ~SEQ or ~LST is not written as these are written: ~SEQ(name, [start, [step,]] end) text, ~LST(name, value, ...) text. The line is ignored."
    EndlessDefinition "endless-definition" "A definition contains itself, or the line becomes too long when its definitions are replaced. The line is ignored."
    UnmatchedQuote "unmatched-quote" "A quotation mark is not closed on the same line. What follows it is lost."
    MissingBrace "missing-brace" "An opening or closing brace is missing."
    UnexpectedBrace "unexpected-brace" "There is a brace where none can stand."
    ExtraWords "extra-words" "There are more words than the keyword takes."
    UnknownKeyword "unknown-keyword" "Nobody knows this word at this place, so the line has no effect. It may be mistyped, or belong into another block."
    MissingParameter "missing-parameter" "A keyword needs a value and has none. keepalived ends at once here, without looking at the rest."
    BadNumber "bad-number" "A value is not a number, or is outside the range that is allowed. The line is ignored unless the message says otherwise."
    BadValue "bad-value" "A value is not one of those that the keyword takes. The line is ignored unless the message says otherwise."
    BadAddress "bad-address" "This is no IP address. The entry is ignored."
    BadName "bad-name" "A block has no name, or a name cannot be used."
    AlreadyDefined "already-defined" "The same thing is written twice, and only one of them counts."
    UnknownReference "unknown-reference" "A name is used that is not defined, or is defined only later in the file. Scripts, files, processes and BFD sessions must be defined before they are used."
    FamilyMismatch "family-mismatch" "IPv4 and IPv6 addresses are mixed where only one of them can stand. An instance has one family: that of its first address."
    MissingInterface "missing-interface" "A network interface is named that does not exist now. keepalived does not start then, unless dynamic_interfaces is written; vrrpd waits for it."
    LoopbackInterface "loopback-interface" "VRRP cannot run on a loopback interface."
    IncompleteBlock "incomplete-block" "A block lacks something that it cannot do without, and is dropped as a whole."
    NoVrid "no-vrid" "An instance has no virtual_router_id. keepalived does not start."
    NoInterface "no-interface" "An instance has no interface. Only unicast instances can do without."
    NoVips "no-vips" "An instance has no virtual addresses. Version 3 requires at least one."
    DuplicateVrid "duplicate-vrid" "Two instances of the same family use the same VRID on the same interface, so their adverts cannot be told apart."
    TooManyVips "too-many-vips" "More addresses than an advert can carry. The last ones become excluded addresses."
    StrictMode "strict-mode" "A setting contradicts strict mode (RFC conformance) and is changed."
    Authentication "authentication" "Authentication is not possible here, or is incomplete, and is switched off."
    AuthHmac "auth-hmac" "Something is wrong with auth_hmac."
    Unicast "unicast" "A setting needs unicast peers, or does not go together with them."
    NoPeers "no-peers" "A unicast keyword is written, but there are no peers."
    Preemption "preemption" "nopreempt or preempt_delay has no effect together with the other settings, and is reset."
    AdvertInterval "advert-interval" "The advert interval cannot be sent in this version of VRRP and is rounded: version 2 has whole seconds, version 3 hundredths up to 40.95 s."
    OwnLink "own-link" "A setting of a VMAC or ipvlan does not go together with the others."
    OwnInterfaceTracked "own-interface-tracked" "An instance always follows its own interface; to track it again has no effect."
    WeightIgnored "weight-ignored" "A weight cannot work here: the address owner's priority never changes, and members of a sync group need sync_group_tracking_weight."
    SyncGroup "sync-group" "A sync group or track group names instances that do not exist or are in another group, or has too few of them."
    ScriptMissing "script-missing" "A program is not there or cannot be run. keepalived goes on without it: the check or notification does not happen."
    ScriptInsecure "script-insecure" "A program runs as root although somebody else could change it."
    ScriptSecurity "script-security" "Programs are run, but enable_script_security is not set, so insecure programs are run too."
    ScriptUser "script-user" "The user or group that a program shall run as does not exist, or there is no default."
    ScriptUnused "script-unused" "A script that nobody tracks is never run."
    Deprecated "deprecated" "This is an old form; the message names the new one."
    Conflict "conflict" "Two settings contradict each other; the message says which one counts."
    Route "route" "An entry of virtual_routes or static_routes is not right."
    Rule "rule" "An entry of virtual_rules or static_rules is not right."
    SecretReadable "secret-readable" "A file with a key can be read by others."
    Lvs "lvs" "Blocks of keepalived's LVS side are kept, but vrrpd does not act on them."
    NotActedOn "not-acted-on" "This keyword is read and kept, but this version of vrrpd does not act on it yet, or not on all that it says."
    FirstIpv6NotLinkLocal "first-ipv6-not-link-local" "RFC 9568 wants the first IPv6 address of an instance to be link-local."
    WeightOutOfRange "weight-out-of-range" "A weight is outside its range."
    TomlSyntax "toml-syntax" "The file is not TOML. Nothing of it is used."
    WeightWithoutEffect "weight-without-effect" "A weight cannot change the priority, because priorities with weights stay between 1 and 254 and an address owner's (255) never changes. The check runs, and its failure has no effect. Choose a priority that leaves room for the weight, or weight 0: then a failure is a fault and the node gives mastership up."
    WeightWithNopreempt "weight-with-nopreempt" "A weight changes the priority, and nopreempt forbids to take mastership from a living master whose priority has become lower. Written on every node, a failed check moves nothing. Use weight 0, which makes the failure a fault, or leave nopreempt out."
    EqualPriorities "equal-priorities" "Without a priority every node has the same. Who is master then depends on who starts first, and on the addresses. That is allowed; write different priorities if one node is to be preferred."
    VipOutsideSubnets "vip-outside-subnets" "A virtual address is in none of the subnets that its interface has, so the other hosts of the link do not look for it there. Check the address, and the interface (dev)."
    VipIsOwnAddress "vip-is-own-address" "A virtual address is an address that this host has by itself. It would be removed when the host becomes backup, and two hosts would have it. A virtual address has to be free, unless the host owns it and has priority 255."
    StrictBlocksVips "strict-blocks-vips" "In strict mode a master that does not own the addresses drops packets to them, as RFC 9568 says for Accept_Mode false. Nobody can ping the addresses or reach a service on them. Leave strict mode out, or use version 3 and write accept."
    TimeoutAboveInterval "timeout-above-interval" "A run of a check may take longer than the time to the next one. Runs do not overlap, so that a check that hangs is noticed only after its timeout."
    OwnAddressAmongPeers "own-address-among-peers" "A node names itself as a peer. Name only the other nodes."
    TooManyProblems "too-many-problems" "There are more problems than are listed."
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = Self::ALL.iter().copied().find(|code| code.name() == name);
        known.ok_or_else(|| serde::de::Error::custom(format!("there is no code `{name}`")))
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
