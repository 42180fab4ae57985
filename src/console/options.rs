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
