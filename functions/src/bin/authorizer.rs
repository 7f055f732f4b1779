//! The `authorizer` function: see `fanout_functions::authorizer`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanout_functions::Error> {
    fanout_functions::authorizer::run().await
}
