//! What may be written on the command line?
//!
//! # Invariants
//! - Every command takes the same words for where the gateway is.

use std::path::PathBuf;

/// Where the gateway is, and how it answers.
#[derive(Clone, Debug, clap::Args)]
pub struct Remote {
    /// The admin plane's URL; the `admin.listen` of the configuration otherwise.
    #[arg(long, global = true, value_name = "URL", env = "TRIMTAB_ADMIN")]
    pub admin: Option<String>,
    /// The admin token; without it and without --admin, that of the configuration.
    #[arg(
        long,
        global = true,
        env = "TRIMTAB_ADMIN_TOKEN",
        hide_env_values = true
    )]
    pub token: Option<String>,
    /// The configuration file of the gateway.
    #[arg(
        long,
        global = true,
        default_value = "config.toml",
        env = "TRIMTAB_CONFIG"
    )]
    pub config: PathBuf,
    /// Prints JSON instead of a table.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What is seen of a running gateway, live.
#[derive(Clone, Debug, clap::Args)]
pub struct Top {
    /// One line of text a second instead of the live screen; implied where there is no terminal.
    #[arg(long)]
    pub plain: bool,
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// Virtual keys of a running gateway.
#[derive(Clone, Debug, clap::Args)]
pub struct Keys {
    /// What is done.
    #[command(subcommand)]
    pub key: Key,
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// What is done with keys.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Key {
    /// Lists all keys, from the file and made here.
    List,
    /// Makes a key and prints its secret, this once.
    Create(Box<Create>),
    /// Shows a key.
    Show {
        /// Its name.
        name: String,
    },
    /// Gives a key another secret and prints it, this once.
    Rotate {
        /// Its name.
        name: String,
        /// How long the secret before is still taken, such as 90s, 15m, 24h or 7d.
        #[arg(long, default_value = "0s")]
        grace: String,
    },
    /// Refuses a key until it is enabled again.
    Disable {
        /// Its name.
        name: String,
    },
    /// Takes a disabled key again.
    Enable {
        /// Its name.
        name: String,
    },
    /// Ends a key for ever; it stays in the list.
    Revoke {
        /// Its name.
        name: String,
    },
    /// Deletes a key.
    Delete {
        /// Its name.
        name: String,
        /// Deletes the one that the configuration file's hides.
        #[arg(long)]
        hidden: bool,
    },
}

/// A key to be made.
#[derive(Clone, Debug, clap::Args)]
pub struct Create {
    /// Its name: letters, digits, dots, dashes and underscores.
    pub name: String,
    /// A file with its document, JSON with the keys of [keys.NAME]; what is written here goes before it.
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// The team that it belongs to.
    #[arg(long)]
    pub team: Option<String>,
    /// The customer that it belongs to directly.
    #[arg(long)]
    pub customer: Option<String>,
    /// What it may spend, dollars a period, such as 10/1d or 250/1M; may be repeated.
    #[arg(long = "budget", value_name = "DOLLARS/PERIOD")]
    pub budgets: Vec<String>,
    /// A model that it may ask for, `*` standing for any text; may be repeated.
    #[arg(long = "model", value_name = "PATTERN")]
    pub models: Vec<String>,
    /// A provider that may serve it; may be repeated.
    #[arg(long = "provider", value_name = "PATTERN")]
    pub providers: Vec<String>,
    /// Requests in a minute.
    #[arg(long, value_name = "COUNT")]
    pub requests_per_minute: Option<u32>,
    /// Requests at once.
    #[arg(long, value_name = "COUNT")]
    pub concurrency: Option<u32>,
    /// From when on it is refused, such as 2027-01-01T00:00:00Z.
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<String>,
    /// What its costs are attributed to; may be repeated.
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    pub tags: Vec<String>,
}

/// How the budgets of a running gateway stand.
#[derive(Clone, Debug, clap::Args)]
pub struct Budgets {
    /// Only those of a tier: customer, team, key, key_provider or provider.
    #[arg(long)]
    pub tier: Option<String>,
    /// Only those of this customer, team, key or provider.
    #[arg(long)]
    pub name: Option<String>,
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// What was used, by whom.
#[derive(Clone, Debug, clap::Args)]
pub struct Usage {
    /// By what: customer, team, key, provider, model, route, day or tag:NAME; several between commas.
    #[arg(long, default_value = "key")]
    pub by: String,
    /// The first instant, or a day of UTC such as 2026-01-01; 30 days back otherwise.
    #[arg(long)]
    pub from: Option<String>,
    /// The first instant after it, or a day of UTC; now otherwise.
    #[arg(long)]
    pub to: Option<String>,
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// Who is live, from the file or made over the API, and what is hidden or refused.
#[derive(Clone, Debug, clap::Args)]
pub struct Diff {
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// What a running gateway keeps of answers.
#[derive(Clone, Debug, clap::Args)]
pub struct Kept {
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// What the constants that are tried beside the live ones would have made of the traffic.
#[derive(Clone, Debug, clap::Args)]
pub struct Tried {
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// What a running gateway is to forget.
#[derive(Clone, Debug, clap::Args)]
pub struct Forget {
    /// What.
    #[command(flatten)]
    pub what: What,
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// Which answers.
#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct What {
    /// The answer of this id, as `x-trimtab-explain` tells it.
    #[arg(long, value_name = "ID")]
    pub entry: Option<String>,
    /// What this request was answered.
    #[arg(long, value_name = "ID")]
    pub request: Option<String>,
    /// What the requests of this virtual key were answered.
    #[arg(long, value_name = "NAME")]
    pub key: Option<String>,
    /// What has this tag.
    #[arg(long)]
    pub tag: Option<String>,
    /// What this model, or `workflows/NAME`, answered.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Everything.
    #[arg(long)]
    pub all: bool,
}

/// What became of requests of a running gateway, the last to end first.
#[derive(Clone, Debug, clap::Args)]
pub struct Requests {
    /// Only those of this virtual key.
    #[arg(long, value_name = "NAME")]
    pub key: Option<String>,
    /// Only those of this team.
    #[arg(long, value_name = "NAME")]
    pub team: Option<String>,
    /// Only those of this customer.
    #[arg(long, value_name = "NAME")]
    pub customer: Option<String>,
    /// Only those that asked for this model.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Only those with an attempt on this route.
    #[arg(long, value_name = "NAME")]
    pub route: Option<String>,
    /// Only those with an attempt at this provider.
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Only those that entered this workflow.
    #[arg(long, value_name = "NAME")]
    pub workflow: Option<String>,
    /// Only those that ended so: ok, client_error, upstream_error, shed, client_gone or internal.
    #[arg(long)]
    pub ending: Option<String>,
    /// Only those that failed for this, such as upstream_timeout or no_model.
    #[arg(long)]
    pub error: Option<String>,
    /// Only those of this session, as a request shows it.
    #[arg(long)]
    pub session: Option<String>,
    /// Only those whose id begins so.
    #[arg(long)]
    pub id: Option<String>,
    /// Only those that were answered with this status.
    #[arg(long)]
    pub status: Option<u16>,
    /// Only those that took so many ms or more.
    #[arg(long)]
    pub min_ms: Option<u64>,
    /// Only streams.
    #[arg(long)]
    pub stream: bool,
    /// Only those that arrived since: a while ago such as 30s, 15m, 1h or 7d, a day, or an instant.
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// How many, at most 1000.
    #[arg(long, default_value_t = 50)]
    pub limit: u32,
    /// Goes on from where another list ended.
    #[arg(long, value_name = "CURSOR")]
    pub before: Option<String>,
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// Why a request of a running gateway went where it went.
#[derive(Clone, Debug, clap::Args)]
pub struct Why {
    /// Its id, as `x-trimtab-request-id` tells it.
    pub id: String,
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// The routes of a running gateway.
#[derive(Clone, Debug, clap::Args)]
pub struct Routes {
    /// What is done; all are listed otherwise.
    #[command(subcommand)]
    pub steer: Option<Steer>,
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// What is done with a route.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Steer {
    /// Sends no new attempt there; attempts in flight go on.
    Drain {
        /// The route, as the list names it.
        route: String,
        /// How long, such as 90s, 15m, 24h or 7d; until it is undone otherwise.
        #[arg(long = "for", value_name = "DURATION")]
        period: Option<String>,
        /// Why, for the audit log and the events.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Ends a drain.
    Undrain {
        /// The route.
        route: String,
    },
    /// Sends every request there that it may serve.
    Pin {
        /// The route.
        route: String,
        /// How long, such as 90s, 15m or 24h; a day at most.
        #[arg(long = "for", value_name = "DURATION")]
        period: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Ends a pin.
    Unpin {
        /// The route.
        route: String,
    },
    /// Ends whatever holds it now: a wait, an open circuit, a rejected key.
    Release {
        /// The route.
        route: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Puts a limit before everything told, read or learned.
    Limit {
        /// The route.
        route: String,
        /// requests, tokens, input_tokens or output_tokens a minute, or concurrency.
        dimension: String,
        /// How many, or none to take the limit away.
        limit: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}
