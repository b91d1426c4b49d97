//! The price table: `prices.toml`, or another in its form.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// So many dollars,
    pub dollars: f64,
    /// for so many units.
    pub per: f64,
    /// Where it stands.
    pub source: String,
}

impl Price {
    /// What so many units cost.
    #[must_use]
    pub fn of(&self, units: f64) -> f64 {
        units * self.dollars / self.per
    }
}

/// The prices of one region, on one day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Where they hold.
    pub region: String,
    /// The day that they were looked up, `2026-11-24`.
    pub date: String,
    /// Metered messages, in or out.
    pub messages: Price,
    /// Minutes of a connection.
    pub connection_minutes: Price,
    /// Calls of functions.
    pub invocations: Price,
    /// Their time.
    pub gb_seconds: Price,
    /// Write units.
    pub write_units: Price,
    /// Read units.
    pub read_units: Price,
    /// Reads of tables' streams.
    pub stream_reads: Price,
    /// Hours of the machine that the embedded server runs on.
    pub machine_hours: Price,
    /// Hours of its address.
    pub address_hours: Price,
    /// Its disk.
    pub disk_gb_months: Price,
}

/// Why a text is no price table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadPrices {
    /// It has another form.
    #[error(transparent)]
    Form(#[from] toml::de::Error),
    /// A price is not a number that one can pay.
    #[error("`{item}` is no price: `dollars` from 0, `per` more than 0, and a `source`")]
    Price {
        /// Which.
        item: &'static str,
    },
}

impl Prices {
    /// The table that comes with this program.
    ///
    /// # Panics
    /// If it is broken, which a test sees.
    #[must_use]
    pub fn of_this_version() -> Self {
        include_str!("../prices.toml").parse().expect("the table is tested")
    }

    fn all(&self) -> [(&'static str, &Price); 10] {
        [
            ("messages", &self.messages),
            ("connection_minutes", &self.connection_minutes),
            ("invocations", &self.invocations),
            ("gb_seconds", &self.gb_seconds),
            ("write_units", &self.write_units),
            ("read_units", &self.read_units),
            ("stream_reads", &self.stream_reads),
            ("machine_hours", &self.machine_hours),
            ("address_hours", &self.address_hours),
            ("disk_gb_months", &self.disk_gb_months),
        ]
    }
}

impl FromStr for Prices {
    type Err = BadPrices;
    fn from_str(text: &str) -> Result<Self, BadPrices> {
        let prices: Self = toml::from_str(text)?;
        for (item, price) in prices.all() {
            let payable = price.dollars.is_finite() && price.dollars >= 0.0;
            let counted = price.per.is_finite() && price.per > 0.0;
            if !payable || !counted || !price.source.starts_with("https://") {
                return Err(BadPrices::Price { item });
            }
        }
        Ok(prices)
    }
}
