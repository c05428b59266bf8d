//! What a chain of field steps comes to, field by field.

use super::FieldMapper;

/// A chain of [`FieldMapper`]s worked out beforehand: for each stored field
/// what it is called in the end, and for each default when it is needed.
///
/// Made by the schema, one for every old version that only has field steps
/// before it, and handed to [`SelfDescribing::read_mapped`]. An encoding's
/// [`read`](Self::read) applies it while the value is being read. A field is
/// looked up in time logarithmic in the number of names that the mappers
/// mention; up to 64 such fields are kept track of without an allocation.
///
/// [`SelfDescribing::read_mapped`]: crate::SelfDescribing::read_mapped
#[derive(Debug)]
pub struct FieldPlan {
    /// Every name that some mapper mentions, by length and then by bytes.
    routes: Box<[Route]>,
    /// In the order in which they are filled in.
    defaults: Box<[Filler]>,
}

/// What becomes of a stored field.
#[derive(Debug)]
pub(in crate::schema) struct Route {
    name: Box<str>,
    /// What it is called in the end; `None` if it is removed.
    pub(in crate::schema) to: Option<Box<str>>,
    pub(in crate::schema) meets: Meets,
}

/// A default, and what becomes of it.
#[derive(Debug)]
pub(in crate::schema) struct Filler {
    /// What it is called in the end; `None` if a later step removes it.
    pub(in crate::schema) to: Option<Box<str>>,
    pub(in crate::schema) json: Box<str>,
    /// Not needed if one of these fields is there.
    pub(in crate::schema) unless: Box<[usize]>,
    pub(in crate::schema) meets: Meets,
}

/// The fields that cannot be there too, because at some step both would have
/// the name behind it. Fields are numbered: the routes first, then the
/// defaults.
pub(in crate::schema) type Meets = Box<[(usize, Box<str>)]>;

impl FieldPlan {
    /// Works out a chain of mappers without contradictions, oldest first.
    pub(in crate::schema) fn new(mappers: &[&FieldMapper]) -> Self {
        let mut names: Vec<&str> = mappers.iter().flat_map(|mapper| mapper.names()).collect();
        names.sort_unstable_by_key(|name| (name.len(), *name));
        names.dedup();
        let mut paths: Vec<Path<'_>> = names
            .iter()
            .map(|name| Path::follow(name, 0, mappers))
            .collect();
        let mut values = Vec::new();
        for (step, mapper) in mappers.iter().enumerate() {
            for (name, json) in mapper.defaults() {
                paths.push(Path::follow(name, step + 1, mappers));
                values.push(json);
            }
        }

        let to = |index: usize| paths[index].last().map(Into::into);
        let meets = |index: usize| {
            let met = |other| {
                Some((
                    other,
                    paths[index].meets(&paths[other], index == other)?.into(),
                ))
            };
            (0..paths.len()).filter_map(met).collect()
        };
        let route = |(index, name): (usize, &&str)| Route {
            name: (*name).into(),
            to: to(index),
            meets: meets(index),
        };
        let routes: Box<[Route]> = names.iter().enumerate().map(route).collect();
        let default = |(at, json): (usize, &str)| {
            let index = routes.len() + at;
            let unless = (0..index).filter(|other| paths[index].gives_way_to(&paths[*other]));
            Filler {
                to: to(index),
                json: json.into(),
                unless: unless.collect(),
                meets: meets(index),
            }
        };
        let defaults = values.into_iter().enumerate().map(default).collect();
        Self { routes, defaults }
    }

    /// The number and the route of a stored field; `None` if no mapper
    /// mentions it.
    #[inline]
    pub(in crate::schema) fn route(&self, name: &str) -> Option<(usize, &Route)> {
        let key = (name.len(), name);
        let found = self
            .routes
            .binary_search_by_key(&key, |r| (r.name.len(), &*r.name))
            .ok()?;
        Some((found, &self.routes[found]))
    }

    /// The number and the default that is the `n`-th to be filled in.
    pub(in crate::schema) fn default(&self, n: usize) -> Option<(usize, &Filler)> {
        Some((self.routes.len() + n, self.defaults.get(n)?))
    }
}

/// What a field is called as the steps go by.
struct Path<'a> {
    /// The step after which the field is there: 0 if it was stored.
    born: usize,
    /// The names from then on; `None` once it is removed.
    names: Vec<Option<&'a str>>,
}

impl<'a> Path<'a> {
    fn follow(name: &'a str, born: usize, mappers: &[&'a FieldMapper]) -> Self {
        let mut names = vec![Some(name)];
        let mut now = Some(name);
        for mapper in &mappers[born..] {
            now = now.and_then(|name| mapper.name_after(name));
            names.push(now);
        }
        Self { born, names }
    }

    fn last(&self) -> Option<&'a str> {
        self.names.last().copied().flatten()
    }

    fn after(&self, step: usize) -> Option<&'a str> {
        step.checked_sub(self.born)
            .and_then(|at| self.names.get(at).copied().flatten())
    }

    /// Whether this default is not needed where `other` is there.
    fn gives_way_to(&self, other: &Self) -> bool {
        other.born < self.born && other.after(self.born) == self.after(self.born)
    }

    /// The name at which this field and another meet, both being there; for
    /// a field that is stored twice, the first new name it gets.
    fn meets(&self, other: &Self, same: bool) -> Option<&'a str> {
        let mut steps = 1..self.born + self.names.len();
        if same {
            return steps.find_map(|step| {
                let (before, after) = (self.after(step - 1)?, self.after(step)?);
                (before != after).then_some(after)
            });
        }
        steps.find_map(|step| {
            self.after(step)
                .filter(|name| other.after(step) == Some(name))
        })
    }
}
