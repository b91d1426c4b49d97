//! An action, read with the reasons that the model in JavaScript gives.
//!
//! Where a model has no other to agree with, `#[derive(Deserialize)]` on an enum is all of this.

use serde::Deserialize;
use serde_json::Value;

use crate::Line;

/// What is done to which order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Action {
    /// The order's id.
    pub id: String,
    /// What is done to it.
    pub change: Change,
}

/// What is done to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is begun.
    Create {
        /// Whose it is.
        customer: String,
    },
    /// It is another customer's.
    Update {
        /// Whose it is now.
        customer: String,
    },
    /// A line is added.
    AddLine(Line),
    /// A line is taken out.
    RemoveLine {
        /// Which.
        line_id: String,
    },
    /// It is placed.
    Confirm,
    /// It is given up.
    Cancel,
    /// It is taken away.
    Delete,
}

impl TryFrom<Value> for Action {
    type Error = String;

    fn try_from(action: Value) -> Result<Self, String> {
        let kind = action.get("type");
        let unknown = || Err(format!("unknown action {}", show(kind)));
        let Some(name) = kind.and_then(Value::as_str) else { return unknown() };
        if !KINDS.contains(&name) {
            return unknown();
        }
        let payload = action.get("payload").filter(|payload| payload.is_object());
        let payload = payload.ok_or("payload is missing")?;
        let id = id(payload.get("id"), "id")?;
        let customer = || text(payload.get("customer"), "customer");
        let change = match name {
            "create" => Change::Create { customer: customer()? },
            "update" => Change::Update { customer: customer()? },
            "addLine" => Change::AddLine(line(payload.get("line"))?),
            "removeLine" => {
                Change::RemoveLine { line_id: self::id(payload.get("lineId"), "lineId")? }
            }
            "confirm" => Change::Confirm,
            "cancel" => Change::Cancel,
            _ => Change::Delete,
        };
        Ok(Self { id, change })
    }
}

fn line(line: Option<&Value>) -> Result<Line, String> {
    let line = line.filter(|line| line.is_object()).ok_or("line is missing")?;
    let sku = text(line.get("sku"), "sku")?;
    // Typed by hand, a line goes by its sku.
    let id = match line.get("id") {
        None => id(line.get("sku"), "sku")?,
        given => id(given, "line id")?,
    };
    let quantity = count(line.get("quantity"), "quantity", 1, QUANTITY_MAX)?;
    let price = count(line.get("price"), "price", 0, PRICE_CENTS_MAX)?;
    Ok(Line { id, sku, quantity, price })
}

/// `__proto__` is refused: as a key of plain objects it means something else in JavaScript.
fn id(id: Option<&Value>, name: &str) -> Result<String, String> {
    let id = string(id.filter(|id| *id != ""), name)?;
    if length(id) > ID_LENGTH_MAX {
        return Err(format!("{name} is longer than {ID_LENGTH_MAX} characters"));
    }
    if id == "__proto__" {
        return Err(format!("{name} must not be __proto__"));
    }
    Ok(id.to_owned())
}

fn text(text: Option<&Value>, name: &str) -> Result<String, String> {
    let text = string(text, name)?;
    if text.chars().all(is_space) {
        return Err(format!("{name} is missing"));
    }
    if length(text) > TEXT_LENGTH_MAX {
        return Err(format!("{name} is longer than {TEXT_LENGTH_MAX} characters"));
    }
    Ok(text.to_owned())
}

fn string<'a>(value: Option<&'a Value>, name: &str) -> Result<&'a str, String> {
    let value = value.filter(|value| !value.is_null());
    let value = value.ok_or_else(|| format!("{name} is missing"))?;
    value.as_str().ok_or_else(|| format!("{name} must be a string, not {}", show(Some(value))))
}

fn count(count: Option<&Value>, name: &str, min: u32, max: u32) -> Result<u64, String> {
    let count = count.filter(|count| !count.is_null());
    let count = count.ok_or_else(|| format!("{name} is missing"))?;
    let not = |rule: String| Err(format!("{name} must be {rule}, not {}", show(Some(count))));
    match count.as_f64() {
        Some(number) if number.fract() != 0.0 => not("a whole number".to_owned()),
        None => not("a whole number".to_owned()),
        Some(number) if number < f64::from(min) => not(format!("at least {min}")),
        Some(number) if number > f64::from(max) => not(format!("at most {max}")),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as checked")]
        Some(number) => Ok(number as u64),
    }
}

/// A value in a reason, as JavaScript writes it.
fn show(value: Option<&Value>) -> String {
    match value {
        None => "undefined".to_owned(),
        Some(Value::String(text)) => quoted(text),
        Some(Value::Number(number)) => {
            let mut buffer = ryu_js::Buffer::new();
            buffer.format(number.as_f64().unwrap_or(f64::NAN)).to_owned()
        }
        Some(Value::Bool(_)) => "boolean".to_owned(),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) => "object".to_owned(),
    }
}

/// The beginning of a text as JSON. It is cut in the units of JavaScript, which may cut a character.
fn quoted(text: &str) -> String {
    let units: Vec<u16> = text.encode_utf16().take(SHOWN_LENGTH_MAX).collect();
    let cut = units.last().filter(|unit| matches!(unit, 0xd800..=0xdbff));
    let whole = String::from_utf16_lossy(&units[..units.len() - usize::from(cut.is_some())]);
    let mut shown = Value::from(whole).to_string();
    if let Some(cut) = cut {
        shown.insert_str(shown.len() - 1, &format!("\\u{cut:04x}"));
    }
    shown
}

/// As JavaScript counts.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// As `trim` in JavaScript sees it.
fn is_space(c: char) -> bool {
    c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}')
}

const KINDS: [&str; 7] =
    ["create", "update", "addLine", "removeLine", "confirm", "cancel", "delete"];
const ID_LENGTH_MAX: usize = 64;
const TEXT_LENGTH_MAX: usize = 200;
const SHOWN_LENGTH_MAX: usize = 64;
const QUANTITY_MAX: u32 = 10_000;
const PRICE_CENTS_MAX: u32 = 10_000_000;
