//! From the configuration to what the dispatcher and the client are given.

use std::collections::HashMap;

use crate::config::{Config, Portal};
use crate::dispatch::{Target, splay_offset};
use crate::domain::PortalName;
use crate::portal::Endpoint;

/// How to reach each portal.
pub(super) fn endpoints(config: &Config) -> HashMap<PortalName, Endpoint> {
    config.portals.iter().map(|portal| (portal.name.clone(), endpoint(portal))).collect()
}

fn endpoint(portal: &Portal) -> Endpoint {
    Endpoint {
        url: portal.url.clone(),
        api_key: portal.api_key.clone(),
        authorization: portal.authorization,
        connect_timeout: portal.connect_timeout,
        timeout: portal.timeout,
        ca_file: portal.ca_file.clone(),
        proxy: portal.proxy.as_ref().map(|proxy| proxy.as_url().clone()),
    }
}

/// When each portal is due, and how it is swept.
pub(super) fn targets(config: &Config) -> Vec<Target> {
    config.portals.iter().map(target).collect()
}

/// Those that were named, disabled ones too: somebody asked for them; else every enabled one.
pub(super) fn chosen(config: &Config, names: &[String]) -> Vec<Target> {
    let mut all = targets(config);
    all.retain(|target| match names {
        [] => target.enabled,
        names => names.iter().any(|name| name == target.portal.as_str()),
    });
    all
}

fn target(portal: &Portal) -> Target {
    Target {
        portal: portal.name.clone(),
        server: portal.server.clone(),
        schedule: portal.schedule.label.clone(),
        timetable: portal.schedule.timetable.clone(),
        offset: splay_offset(&portal.name, portal.schedule.splay),
        catch_up: portal.schedule.catch_up,
        dump: portal.dump,
        method: portal.method,
        keep: portal.keep,
        verify: portal.verify,
        timeout: portal.timeout,
        enabled: portal.enabled,
        retry: portal.retry,
    }
}
