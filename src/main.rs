//! The command line: a table of contents of what the library can do.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use scoring::tuning::Tuning;
use serde_json::json;
use tracing_subscriber::EnvFilter;
use trimtab::app::{self, Gateway};
use trimtab::config::{self, Config, LogFormat, Paint, Report};
use trimtab::dialects::fixed::{Unheard, unheard};
use trimtab::prices::PricesError;
use trimtab::study::{self, StudyError};
use trimtab::{console, demo, doctor, import, mock, prices};

/// In profiles of the request path the system's allocator took about 6 % of the samples, this one 1 to 2 %; it costs some 8 MiB of idle memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Read when no other file is named.
const CONFIG: &str = "config.toml";

/// The exit code for a configuration with problems.
const INVALID: u8 = 1;

/// An adaptive gateway for AI model traffic.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves requests (the default).
    Serve {
        /// The configuration file.
        #[arg(long, default_value = CONFIG, env = "TRIMTAB_CONFIG")]
        config: PathBuf,
    },
    /// Says whether a configuration file is valid, and everything that is wrong with it.
    Check {
        /// The configuration file.
        #[arg(default_value = CONFIG)]
        file: PathBuf,
        /// How problems are written.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Runs stand-in providers alone.
    Mock {
        /// A configuration file whose `[mock]` section is the script.
        #[arg(long, default_value = CONFIG)]
        config: PathBuf,
        /// Where to listen, instead of what the script says.
        #[arg(long)]
        listen: Option<std::net::SocketAddr>,
    },
    /// Replays traffic through the decision code and every alternative, and says who did better.
    Replay {
        /// A configuration file whose `[scoring]` section is tried; the defaults otherwise.
        #[arg(long)]
        config: Option<PathBuf>,
        #[command(flatten)]
        options: sim::command::Replay,
    },
    /// Finds better constants for the scoring by replays, and writes them as a `[scoring]` section.
    Tune {
        /// A configuration file whose `[scoring]` section is the start; the defaults otherwise.
        #[arg(long)]
        config: Option<PathBuf>,
        #[command(flatten)]
        options: sim::command::Tune,
    },
    /// Shows traffic leave a provider that degrades, on stand-in providers, beside static weights.
    Demo(demo::Options),
    /// Writes a configuration out of one of LiteLLM, Bifrost or Portkey, and tells what it could not carry over.
    Import(import::Options),
    /// Prints the settings that a client needs, and tries them against the running gateway.
    Doctor(doctor::Options),
    /// Keeps the prices of models up to date, and tells them.
    #[command(subcommand)]
    Prices(prices::Command),
    /// Lists, makes and ends virtual keys of a running gateway.
    Keys(console::Keys),
    /// Shows how the budgets of a running gateway stand.
    Budgets(console::Budgets),
    /// Sums what was used, by whom.
    Usage(console::Usage),
    /// Shows who is live, from the file or made over the API.
    Diff(console::Diff),
    /// Shows what is seen of a running gateway, live.
    Top(console::Top),
    /// Shows the routes of a running gateway; drains, pins, releases and limits them.
    Routes(console::Routes),
    /// Shows how the constants of `[scoring.shadow]` would have decided, and what they would have made of the traffic.
    Shadow(console::Tried),
    /// Shows and empties the response cache, and says how often it is wrong.
    #[command(subcommand)]
    Cache(Cache),
    /// Lists what became of requests.
    Requests(Box<console::Requests>),
    /// Explains why a request went where it went.
    Why(console::Why),
    /// Prints the JSON Schema of the configuration, for editors.
    Schema,
    /// Prints a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
enum Cache {
    /// Shows what a running gateway keeps of answers, and how its semantic hits stand.
    Show(console::Kept),
    /// Has a running gateway forget answers.
    Evict(console::Forget),
    /// Reports how often semantic hits were wrong, from the gateway's files.
    Audit(study::Weekly),
    /// Tries thresholds of the semantic layer on recorded questions, offline.
    Simulate(study::Simulate),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

fn main() -> ExitCode {
    let serve = || Command::Serve {
        config: PathBuf::from(CONFIG),
    };
    let done = match Cli::parse().command.unwrap_or_else(serve) {
        Command::Serve { config } => self::serve(&config),
        Command::Check { file, format } => check(&file, format),
        Command::Mock { config, listen } => mock(&config, listen),
        Command::Replay { config, options } => replay(config.as_deref(), &options),
        Command::Tune { config, options } => tune(config.as_deref(), &options),
        Command::Demo(options) => demo(&options),
        Command::Import(options) => import(&options),
        Command::Doctor(options) => doctor(&options),
        Command::Prices(command) => prices(&command),
        Command::Keys(options) => console(&console::Ask::Keys(options)),
        Command::Budgets(options) => console(&console::Ask::Budgets(options)),
        Command::Usage(options) => console(&console::Ask::Usage(options)),
        Command::Diff(options) => console(&console::Ask::Diff(options)),
        Command::Top(options) => console(&console::Ask::Top(options)),
        Command::Routes(options) => console(&console::Ask::Routes(options)),
        Command::Shadow(options) => console(&console::Ask::Tried(options)),
        Command::Cache(Cache::Show(options)) => console(&console::Ask::Kept(options)),
        Command::Cache(Cache::Evict(options)) => console(&console::Ask::Forget(options)),
        Command::Cache(Cache::Audit(options)) => study(&study::Study::Audit(options)),
        Command::Cache(Cache::Simulate(options)) => study(&study::Study::Simulate(options)),
        Command::Requests(options) => console(&console::Ask::Requests(options)),
        Command::Why(options) => console(&console::Ask::Why(options)),
        Command::Schema => print(&config::schema()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "trimtab", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    };
    done.unwrap_or_else(|error| {
        complain(&format!("error: {error}\n"));
        ExitCode::FAILURE
    })
}

fn serve(file: &Path) -> anyhow::Result<ExitCode> {
    let config = match config::load(file) {
        Ok(config) => config,
        Err(report) => return Ok(refuse(&report)),
    };
    log_to_stderr(&config);
    let gateway = Gateway::start(config, Some(file.to_owned()))?;
    print(&banner(&gateway))?;
    app::obey_signals(gateway.control())?;
    gateway.wait();
    Ok(ExitCode::SUCCESS)
}

fn banner(gateway: &Gateway) -> String {
    let mut text = String::new();
    let serving = gateway.shared.serving.load();
    let models: Vec<_> = serving
        .routing
        .models
        .iter()
        .map(|model| &*model.name)
        .collect();
    // Writing into a string cannot fail.
    let _ = writeln!(text, "Trimtab {}", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "  OpenAI base URL     http://{}/v1", gateway.address);
    let _ = writeln!(
        text,
        "  Anthropic base URL  http://{}/anthropic",
        gateway.address
    );
    let _ = writeln!(
        text,
        "  Gemini base URL     http://{}/genai",
        gateway.address
    );
    let _ = writeln!(text, "  admin               http://{}/", gateway.admin);
    let _ = writeln!(text, "  models              {}", models.join(", "));
    if let Some(mock) = gateway.mock() {
        let _ = writeln!(text, "  stand-ins           http://{}/", mock.addr);
    }
    text
}

fn check(file: &Path, format: Format) -> anyhow::Result<ExitCode> {
    match (config::load(file), format) {
        (Ok(config), Format::Text) => {
            let (models, providers) = (config.models.len(), config.providers.len());
            let warnings: String = unheard(&config)
                .iter()
                .map(|it| format!("warning: {}: {}\n", it.path(), Unheard::MESSAGE))
                .collect();
            print(&format!(
                "{}: valid; {models} models over {providers} providers\n{warnings}",
                file.display()
            ))
        }
        (Ok(config), Format::Json) => {
            let warning = |it: &Unheard| json!({"path": it.path(), "message": Unheard::MESSAGE});
            let warnings: Vec<_> = unheard(&config).iter().map(warning).collect();
            print(&format!(
                "{}\n",
                json!({"problems": [], "warnings": warnings})
            ))
        }
        (Err(report), Format::Text) => Ok(refuse(&report)),
        (Err(report), Format::Json) => {
            print(&format!("{}\n", report.json()))?;
            Ok(ExitCode::from(INVALID))
        }
    }
}

fn mock(file: &Path, listen: Option<std::net::SocketAddr>) -> anyhow::Result<ExitCode> {
    let config = match config::load(file) {
        Ok(config) => config,
        Err(report) => return Ok(refuse(&report)),
    };
    log_to_stderr(&config);
    let mut script = config
        .mock
        .ok_or_else(|| anyhow::anyhow!("{} has no [mock] section", file.display()))?;
    script.listen = listen.or(script.listen);
    mock::run(script)?;
    Ok(ExitCode::SUCCESS)
}

fn demo(options: &demo::Options) -> anyhow::Result<ExitCode> {
    let summary = demo::run(options)?;
    print(&summary.to_string())?;
    Ok(ExitCode::from(u8::from(summary.lost() > 0)))
}

fn import(options: &import::Options) -> anyhow::Result<ExitCode> {
    let said = import::run(options)?;
    complain(&said.remarks);
    print(&said.text)?;
    Ok(said
        .problems
        .map_or(ExitCode::SUCCESS, |report| refuse(&report)))
}

fn doctor(options: &doctor::Options) -> anyhow::Result<ExitCode> {
    let said = doctor::run(options)?;
    print(&said.text)?;
    Ok(ExitCode::from(u8::from(!said.holds)))
}

fn prices(command: &prices::Command) -> anyhow::Result<ExitCode> {
    let said = match prices::run(command) {
        Err(PricesError::Config(report)) => return Ok(refuse(&report)),
        said => said?,
    };
    complain(&said.remarks);
    print(&said.text)?;
    Ok(ExitCode::from(u8::from(!said.holds)))
}

fn study(study: &study::Study) -> anyhow::Result<ExitCode> {
    let said = match study::run(study) {
        Err(StudyError::Config(report)) => return Ok(refuse(&report)),
        said => said?,
    };
    complain(&said.remarks);
    print(&said.text)
}

fn console(ask: &console::Ask) -> anyhow::Result<ExitCode> {
    match console::run(ask) {
        Ok(said) => {
            complain(&said.remarks);
            print(&said.text)
        }
        Err(error) => {
            complain(&format!("error: {error}\n"));
            Ok(ExitCode::from(error.code()))
        }
    }
}

fn replay(config: Option<&Path>, options: &sim::command::Replay) -> anyhow::Result<ExitCode> {
    match tuning(config) {
        Ok(tuning) => say(&sim::command::replay(options, &tuning)?),
        Err(report) => Ok(refuse(&report)),
    }
}

fn tune(config: Option<&Path>, options: &sim::command::Tune) -> anyhow::Result<ExitCode> {
    match tuning(config) {
        Ok(tuning) => say(&sim::command::tune(options, &tuning)?),
        Err(report) => Ok(refuse(&report)),
    }
}

/// The constants of scoring in a configuration file, or the defaults.
fn tuning(config: Option<&Path>) -> Result<Tuning, Report> {
    config.map_or(Ok(Tuning::default()), |file| {
        config::load(file).map(|config| config.tuning)
    })
}

/// Prints what a command has to say; fails if something did not hold.
fn say(said: &sim::command::Said) -> anyhow::Result<ExitCode> {
    complain(&said.remarks);
    print(&said.text)?;
    Ok(ExitCode::from(u8::from(!said.holds)))
}

fn refuse(report: &Report) -> ExitCode {
    let plain = std::env::var_os("NO_COLOR").is_some() || !io::stderr().is_terminal();
    let paint = if plain { Paint::Plain } else { Paint::Coloured };
    complain(&report.render(paint));
    ExitCode::from(INVALID)
}

fn log_to_stderr(config: &Config) {
    let level = config.log.level.name();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(io::stderr)
        // It would tell of a log that cannot be written where that cannot be written either, which is a panic.
        .log_internal_errors(false);
    match config.log.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        result => result?,
    }
    Ok(ExitCode::SUCCESS)
}

fn complain(text: &str) {
    // There is nowhere left to tell of a failure to tell.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_sound() {
        Cli::command().debug_assert();
    }
}
