pub(crate) fn run() -> String {
    String::new()
}
