use crate::args::Args;
pub(crate) async fn run(_: &Args) -> anyhow::Result<()> {
    Ok(())
}
