//! Twinstore in the browser.
