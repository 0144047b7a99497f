//! A look at a component's sections before the compiler sees it: counts and sizes that no scorer needs, and that cost
//! the compiler more than they cost their author.

use wasmparser::{Parser, Payload};

use crate::LoadError;
use crate::text::tame;

/// Modules and components inside one another.
const DEEPEST: usize = 8;
/// Modules, components and instances altogether.
const MOST_PARTS: u32 = 2_000;
/// Functions with a body.
const MOST_FUNCTIONS: u32 = 200_000;
/// Bytes of one function's body: some compiler passes are worse than linear in it. CPython's interpreter loop has some
/// 300 kB.
const LARGEST_FUNCTION: usize = 2 << 20;
/// Locals of one function.
const MOST_LOCALS: u64 = 20_000;

/// Walks over the sections; nothing is validated here, that is the compiler's.
pub(crate) fn survey(bytes: &[u8]) -> Result<(), LoadError> {
    let refuse = |cause: String| Err(LoadError::Compile { cause });
    let (mut depth, mut parts, mut functions) = (0_usize, 0_u32, 0_u32);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => {
                depth += 1;
                parts += 1;
            }
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::InstanceSection(section)) => parts = parts.saturating_add(section.count()),
            Ok(Payload::ComponentInstanceSection(section)) => parts = parts.saturating_add(section.count()),
            Ok(Payload::CodeSectionEntry(body)) => {
                functions += 1;
                if body.as_bytes().len() > LARGEST_FUNCTION {
                    let size = body.as_bytes().len();
                    return refuse(format!(
                        "a function has {size} bytes, at most {LARGEST_FUNCTION} are compiled"
                    ));
                }
                let locals = body.get_locals_reader().map(|reader| {
                    reader.into_iter().flatten().map(|(count, _)| u64::from(count)).sum::<u64>()
                });
                if locals.is_ok_and(|count| count > MOST_LOCALS) {
                    return refuse(format!("a function has more than {MOST_LOCALS} locals"));
                }
            }
            Ok(_) => {}
            Err(error) => return refuse(tame(error.message())),
        }
        if depth > DEEPEST {
            return refuse(format!("its parts are nested more than {DEEPEST} deep"));
        }
        if parts > MOST_PARTS {
            return refuse(format!("it has more than {MOST_PARTS} modules and instances"));
        }
        if functions > MOST_FUNCTIONS {
            return refuse(format!("it has more than {MOST_FUNCTIONS} functions"));
        }
    }
    Ok(())
}
