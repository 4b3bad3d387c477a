//! Against servers on the loopback that behave and misbehave.

mod hub;
mod index;
mod models;

mod server;

use std::time::Duration;

use remote::{Network, NetworkOptions, Retry};

/// The network with little patience.
fn network() -> Network {
    Network::new(options()).unwrap()
}

fn options() -> NetworkOptions {
    NetworkOptions {
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_millis(500),
        retry: Retry {
            times: 2,
            first_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(2),
        },
        ..NetworkOptions::default()
    }
}
