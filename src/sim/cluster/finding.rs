//! What is wrong with a cluster, as values: a stable code, how bad it is, in words, and where it stands.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Works, but not in every case as somebody will expect.
    Warning,
    /// Does not work.
    Error,
}

/// What kind of mistake it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The nodes of one virtual router use different VRIDs.
    VridDiffers,
    /// Two virtual routers on one link have the same VRID.
    VridTwice,
    /// The nodes send at different intervals.
    IntervalDiffers,
    /// The nodes speak different versions.
    VersionDiffers,
    /// The nodes authenticate differently.
    AuthenticationDiffers,
    /// A node cannot check what another one signs.
    HmacDiffers,
    /// Instances change together on one node and not on another one.
    SyncGroupDiffers,
    /// The nodes have different virtual addresses.
    VipsDiffer,
    /// The same virtual address has different prefix lengths.
    PrefixDiffers,
    /// A node does not send to another one.
    PeerMissing,
    /// A node sends to an address that none of the nodes has.
    PeerUnknown,
    /// Two nodes send from the same address.
    SourceTwice,
    /// One node speaks to peers, another one to a group.
    TransportDiffers,
    /// The nodes speak to different groups.
    GroupDiffers,
    /// The nodes compute the checksum differently.
    ChecksumDiffers,
    /// Two nodes say that they own the addresses.
    TwoOwners,
    /// Only one of the nodes has this virtual router.
    OnlyOneNode,
    /// Two nodes are master, and stay it.
    TwoMasters,
    /// No node becomes master.
    NoMaster,
    /// The nodes do not come to rest.
    NeverSettles,
    /// A failure does not move the addresses to a node that is well.
    FailureMovesNothing,
    /// After a failure nobody has the addresses, although a node is well.
    FailureLeavesNobody,
    /// After a failure two nodes are master.
    FailureLeavesTwoMasters,
    /// BFD sessions are tracked, which this version runs none of.
    BfdNotPlayed,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 24] = [
        Self::VridDiffers,
        Self::VridTwice,
        Self::IntervalDiffers,
        Self::VersionDiffers,
        Self::AuthenticationDiffers,
        Self::HmacDiffers,
        Self::SyncGroupDiffers,
        Self::VipsDiffer,
        Self::PrefixDiffers,
        Self::PeerMissing,
        Self::PeerUnknown,
        Self::SourceTwice,
        Self::TransportDiffers,
        Self::GroupDiffers,
        Self::ChecksumDiffers,
        Self::TwoOwners,
        Self::OnlyOneNode,
        Self::TwoMasters,
        Self::NoMaster,
        Self::NeverSettles,
        Self::FailureMovesNothing,
        Self::FailureLeavesNobody,
        Self::FailureLeavesTwoMasters,
        Self::BfdNotPlayed,
    ];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VridDiffers => "vrid-differs",
            Self::VridTwice => "vrid-twice",
            Self::IntervalDiffers => "interval-differs",
            Self::VersionDiffers => "version-differs",
            Self::AuthenticationDiffers => "authentication-differs",
            Self::HmacDiffers => "hmac-differs",
            Self::SyncGroupDiffers => "sync-group-differs",
            Self::VipsDiffer => "vips-differ",
            Self::PrefixDiffers => "prefix-differs",
            Self::PeerMissing => "peer-missing",
            Self::PeerUnknown => "peer-unknown",
            Self::SourceTwice => "source-twice",
            Self::TransportDiffers => "transport-differs",
            Self::GroupDiffers => "group-differs",
            Self::ChecksumDiffers => "checksum-differs",
            Self::TwoOwners => "two-owners",
            Self::OnlyOneNode => "only-one-node",
            Self::TwoMasters => "two-masters",
            Self::NoMaster => "no-master",
            Self::NeverSettles => "never-settles",
            Self::FailureMovesNothing => "failure-moves-nothing",
            Self::FailureLeavesNobody => "failure-leaves-nobody",
            Self::FailureLeavesTwoMasters => "failure-leaves-two-masters",
            Self::BfdNotPlayed => "bfd-not-played",
        }
    }

    /// What it means and what to do, for `--explain`.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::VridDiffers => {
                "Nodes find each other by the virtual_router_id. These instances hold the same virtual addresses, but with\ndifferent ids they do not hear each other, and each of them becomes master.\nWrite the same virtual_router_id in every file."
            }
            Self::VridTwice => {
                "Two different virtual routers use the same virtual_router_id in the same family on the same link. Each hears\nthe other's adverts, finds addresses in them that are not its own, and drops them or yields to them.\nGive each virtual router of a link its own virtual_router_id (1 to 255)."
            }
            Self::IntervalDiffers => {
                "Version 2 drops adverts whose interval is not its own (RFC 3768 section 7.1), so the nodes do not accept each\nother and several become master. Version 3 learns the interval of the master, so that it works, but how fast a\nfailure is noticed depends on who is master.\nWrite the same advert_int in every file."
            }
            Self::VersionDiffers => {
                "A node drops adverts of the other VRRP version, so both become master.\nWrite the same version in every file (`version` in the instance, or `vrrp_version` in global_defs)."
            }
            Self::AuthenticationDiffers => {
                "A node drops adverts that are not authenticated as its own configuration says, so both become master.\nWrite the same authentication block in every file; auth_pass counts only by its first 8 characters."
            }
            Self::HmacDiffers => {
                "A node drops adverts whose signature it cannot check, so both become master. The key that a node signs with\n(active_key) has to stand in auth_hmac of every other node, with the same id. Change keys in two steps: first add the\nnew key everywhere, then make it active."
            }
            Self::SyncGroupDiffers => {
                "The members of a vrrp_sync_group change their state together. On another node these instances are not in one\ngroup, so after a failure they can be master on different nodes.\nWrite the same sync groups in every file."
            }
            Self::VipsDiffer => {
                "The nodes elect a master all the same, but with every change of it addresses vanish or appear. A node logs every\nadvert that has not its own addresses (`expected N VIPs but received M`).\nWrite the same addresses in virtual_ipaddress of every file; the order does not matter."
            }
            Self::PrefixDiffers => {
                "The prefix length is not in the advert, so the nodes agree, but after a take-over the host routes differently.\nWrite the same prefix length in every file."
            }
            Self::PeerMissing => {
                "With unicast a node hears only those that name it. A node that is not named hears no master and becomes one.\nName every other node in unicast_peer of every file."
            }
            Self::PeerUnknown => {
                "An address in unicast_peer belongs to none of the nodes given. Either a node's file is missing on the command\nline, or the address is mistyped."
            }
            Self::SourceTwice => {
                "Two nodes send from the same address. Each takes the other's adverts for its own and drops them.\nGive each node its own unicast_src_ip or mcast_src_ip."
            }
            Self::TransportDiffers => {
                "One node sends to named peers, another one to a multicast group. They do not hear each other, and both become\nmaster. Write unicast_peer in every file or in none."
            }
            Self::GroupDiffers => {
                "The nodes send to different multicast groups and do not hear each other.\nWrite the same mcast_dst_ip (or vrrp_mcast_group4, vrrp_mcast_group6) in every file, or none."
            }
            Self::ChecksumDiffers => {
                "The nodes compute the checksum of their adverts in different ways (v3_checksum_as_v2, old_unicast_checksum).\nvrrpd accepts both; keepalived drops what is not its own way, and then both become master.\nWrite the same in every file."
            }
            Self::TwoOwners => {
                "Priority 255 says: these are my own addresses. Only one node of a virtual router may say so; two owners fight\nfor the addresses.\nGive every node but one a priority of 254 or less, usually all of them."
            }
            Self::OnlyOneNode => {
                "Only one of the files has this virtual router. When that node fails, nobody takes over."
            }
            Self::TwoMasters => {
                "The nodes were played with the state machines of the daemon on a virtual network where nothing fails and\nnothing is lost. More than one node stayed master: the address would be on several nodes at once.\nThe other findings say why; mend them first."
            }
            Self::NoMaster => {
                "The nodes were played with the state machines of the daemon where nothing fails and nothing is lost, and no node\nbecame master."
            }
            Self::NeverSettles => {
                "The nodes were played with the state machines of the daemon where nothing fails and nothing is lost, and they\nwent on changing their states."
            }
            Self::FailureMovesNothing => {
                "A tracker of the master fails and the master stays, although another node has no failure: the check is there, and\nits failure changes nothing. Usually the weight is smaller than the difference of the priorities, or nopreempt\nkeeps the better node from taking over.\nA weight has to be greater than the difference of the priorities of any two nodes. Weight 0 makes a failed\ntracker a fault: the node then gives mastership up whatever the priorities are. Leave nopreempt out when weights\nare to move the addresses."
            }
            Self::FailureLeavesNobody => {
                "After this failure no node is master, although a node that has no failure runs."
            }
            Self::FailureLeavesTwoMasters => {
                "After this failure more than one node is master and stays it: the address is on several nodes at once."
            }
            Self::BfdNotPlayed => {
                "An instance or its sync group tracks BFD sessions. This version of vrrpd reads and keeps them, but runs no BFD:\ntheir failure moves nothing, here as in the daemon. Track an interface or a script that asks the neighbour instead."
            }
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where something stands: a keyword of an instance of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Position of the node in the list given.
    pub node: usize,
    /// The instance.
    pub instance: String,
    /// The keyword, if one is to blame.
    pub keyword: Option<&'static str>,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// Which kind.
    pub code: Code,
    /// In words.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where.
    pub places: Vec<Place>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_word_of_its_own_and_an_explanation() {
        let mut words: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{code}\""));
            assert!(code.explanation().len() > 60);
        }
    }
}
