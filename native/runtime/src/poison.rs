//! What happens when our own code fails: the panic is caught, its place is kept, and the engine is frozen, not the JVM.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs the body of a thread of ours.
///
/// # Errors
/// The text of a panic with its file and line.
pub(crate) fn catch<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let text = info.payload_as_str().unwrap_or("panic without a text");
            let place = info.location().map(|place| format!("{}:{}: ", place.file(), place.line()));
            LAST_PANIC.set(Some(format!("{}{text}", place.unwrap_or_default())));
            previous(info);
        }));
    });
    // What the body owned is not used after a panic: the engine is poisoned and its writer is gone.
    panic::catch_unwind(AssertUnwindSafe(body))
        .map_err(|_| LAST_PANIC.take().unwrap_or_else(|| "panic at an unknown place".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::catch;

    #[test]
    fn a_panic_is_told_with_file_and_line() {
        assert_eq!(catch(|| 7), Ok(7));
        let text = catch(|| panic!("on purpose {}", 8)).unwrap_err();
        assert!(text.contains("poison.rs:") && text.ends_with("on purpose 8"), "{text}");
    }
}
