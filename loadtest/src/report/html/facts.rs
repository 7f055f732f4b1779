//! What was asked for, and what measured it, as tables of facts.

use super::tables::{facts, or_dash, row, seconds, table};
use crate::{
    body::BodyKind,
    own_load::OwnLoad,
    report::{
        Document,
        text::{grouped, micros, rate},
    },
};

/// What was asked for.
pub(super) fn settings(document: &Document) -> String {
    let settings = &document.settings;
    let body = settings.body.map(|kind| match kind {
        BodyKind::BookOrder => "book orders",
        BodyKind::Notification => "notifications",
        BodyKind::Given => "as it was given",
    });
    let body = body.zip(settings.body_bytes);
    let body = body.map(|(kind, bytes)| format!("{kind}, about {bytes} bytes"));
    let topics = match settings.topics {
        0 => "everyone".to_owned(),
        count => format!("one of {count} topics each"),
    };
    table(
        &[],
        &facts([
            ("subscribers", grouped(settings.subscribers.into())),
            ("at", settings.ws.clone()),
            ("opened at", rate(settings.ramp_per_second)),
            ("reconnected at", text(settings.churn_per_second.map(rate))),
            ("slow readers", grouped(settings.slow_readers.into())),
            ("simulated by", text(settings.simulated.clone())),
            ("settled for", seconds(settings.settle_ms)),
            ("notifications", grouped(settings.notifications)),
            ("posted to", text(settings.publish.clone())),
            ("published at", rate(settings.notifications_per_second)),
            ("meant for", topics),
            ("body", text(body)),
            ("headers", or_dash(&settings.header_names.join(", "))),
            ("drain timeout", seconds(settings.drain_timeout_ms)),
        ]),
    )
}

/// The machine that measured, and the load that the load test put on it.
pub(super) fn machine(document: &Document) -> String {
    let (machine, tool) = (&document.machine, &document.tool);
    let memory = machine.memory_bytes.map(|bytes| {
        let mebibytes = bytes / 1_048_576;
        format!(
            "{}.{} GiB",
            mebibytes / 1_024,
            mebibytes % 1_024 * 10 / 1_024
        )
    });
    let measured_by = facts([
        ("processor", text(machine.cpu_model.clone())),
        ("architecture", machine.architecture.clone()),
        ("cores", text(machine.cores.map(|cores| cores.to_string()))),
        ("memory", text(memory)),
        ("kernel", text(machine.kernel.clone())),
        ("load test", format!("{} {}", tool.name, tool.version)),
        ("built by", text(tool.rustc.clone())),
        ("run", text(document.run.map(|run| run.to_string()))),
    ]);
    let own_load = document.own_load.iter().map(own_load);
    table(&[], &(measured_by + &own_load.collect::<String>()))
}

fn own_load(own: &OwnLoad) -> String {
    let cpu = own.cpu_percent().unwrap_or_default();
    let timers = format!(
        "{} of {}, the latest by {}",
        grouped(own.late_timers),
        grouped(own.timers),
        micros(own.latest_timer_us)
    );
    let memory = own.bytes_per_subscriber();
    let memory = memory.map(|bytes| format!("{} KB", bytes / 1_024));
    [
        row("own CPU", &[format!("{cpu} % of {}", own.cpus)]),
        row("memory a subscriber", &[text(memory)]),
        row("own timers late", &[timers]),
    ]
    .concat()
}

fn text(of: Option<String>) -> String {
    or_dash(&of.unwrap_or_default())
}
