//! Asks an interface for its link: MII registers, ETHTOOL_GLINK, or its flags.
#![expect(unsafe_code, reason = "ioctl on an interface")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

const SIOCETHTOOL: libc::Ioctl = 0x8946;
const SIOCGMIIPHY: libc::Ioctl = 0x8947;
const SIOCGMIIREG: libc::Ioctl = 0x8948;
const ETHTOOL_GLINK: u32 = 0xa;
/// MII basic mode status register, and its bit for an established link (IEEE 802.3 clause 22).
const MII_BMSR: u16 = 1;
const BMSR_LINK: u16 = 4;

#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// `struct ifreq`; what is in `data` depends on the call.
#[repr(C, align(8))]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    data: [u8; size_of::<libc::ifreq>() - libc::IFNAMSIZ],
}

const _: () = assert!(size_of::<Request>() == size_of::<libc::ifreq>());

impl Request {
    /// ENODEV for a name that no interface can have.
    fn new(name: &str) -> io::Result<Self> {
        let mut request = Self {
            name: [0; libc::IFNAMSIZ],
            data: [0; size_of::<libc::ifreq>() - libc::IFNAMSIZ],
        };
        // The last byte stays 0.
        let room = request
            .name
            .get_mut(..name.len())
            .filter(|_| name.len() < libc::IFNAMSIZ);
        room.ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))?
            .copy_from_slice(name.as_bytes());
        Ok(request)
    }

    fn call(&mut self, socket: &impl AsFd, code: libc::Ioctl) -> io::Result<()> {
        // SAFETY: `self` is laid out as `struct ifreq`, as large, and lives during the call; so does what its pointer points
        // to, which only SIOCETHTOOL has.
        let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), code, std::ptr::from_mut(self)) };
        if result < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// The 16 bit number at this position of the data.
    fn number(&self, at: usize) -> u16 {
        let bytes = self.data.chunks_exact(2).nth(at);
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u16::from_ne_bytes)
    }

    fn fill(&mut self, bytes: &[u8]) {
        self.data.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    }
}

/// Whether the interface's transceiver has a link.
///
/// # Errors
/// When the interface has none that can be asked, or there is no such interface.
pub fn mii_link(socket: &impl AsFd, name: &str) -> io::Result<bool> {
    // `struct mii_ioctl_data`: transceiver, register, value in, value out.
    let mut request = Request::new(name)?;
    request.call(socket, SIOCGMIIPHY)?;
    let [low, high] = MII_BMSR.to_ne_bytes();
    let [phy_low, phy_high] = request.number(0).to_ne_bytes();
    request.fill(&[phy_low, phy_high, low, high]);
    request.call(socket, SIOCGMIIREG)?;
    let status = request.number(3);
    Ok(status != u16::MAX && status & BMSR_LINK != 0)
}

/// Whether the driver says that there is a link.
///
/// # Errors
/// When the driver does not know, or there is no such interface.
pub fn ethtool_link(socket: &impl AsFd, name: &str) -> io::Result<bool> {
    let mut request = Request::new(name)?;
    let mut value = EthtoolValue {
        command: ETHTOOL_GLINK,
        data: 0,
    };
    request.fill(&(&raw mut value).expose_provenance().to_ne_bytes());
    request.call(socket, SIOCETHTOOL)?;
    Ok(value.data != 0)
}

/// Whether the interface is administratively up, and whether it runs.
///
/// # Errors
/// When there is no such interface.
pub fn link_flags(socket: &impl AsFd, name: &str) -> io::Result<(bool, bool)> {
    let mut request = Request::new(name)?;
    request.call(socket, libc::SIOCGIFFLAGS)?;
    let flags = i32::from(request.number(0));
    Ok((flags & libc::IFF_UP != 0, flags & libc::IFF_RUNNING != 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn the_loopback_has_flags_and_a_stranger_has_not() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (_, running) = link_flags(&socket, "lo").unwrap();
        assert_eq!(running, link_flags(&socket, "lo").unwrap().0, "lo runs when it is up");
        assert!(mii_link(&socket, "lo").is_err());
        for name in ["", "no-such-link", "a-name-that-is-much-too-long-for-a-link"] {
            assert!(link_flags(&socket, name).is_err(), "{name}");
            assert!(ethtool_link(&socket, name).is_err(), "{name}");
        }
    }
}
