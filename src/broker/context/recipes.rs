//! What workers are made from when the first message to them is sent: JavaScript names each recipe by a number.

use crate::ids::{ClassName, ClusterName};
use crate::lock::lock;
use std::sync::{Arc, Mutex};

/// Everything but the id.
#[derive(Debug)]
pub struct Recipe {
    pub class: ClassName,
    pub cluster: ClusterName,
    pub recoverable: bool,
    /// JSON text.
    pub attributes: String,
}

/// The recipes of one broker. JavaScript has one for each class, and one for each of its agents that gives attributes; it gives a
/// number back when the agent is collected.
#[derive(Default)]
pub struct Recipes(Mutex<Numbered>);

#[derive(Default)]
struct Numbered {
    recipes: Vec<Option<Arc<Recipe>>>,
    free: Vec<u32>,
}

impl Recipes {
    /// The recipe's number, from 1.
    pub fn add(&self, recipe: Recipe) -> u32 {
        let mut all = lock(&self.0);
        let index = all.free.pop().unwrap_or_else(|| {
            all.recipes.push(None);
            (all.recipes.len() - 1) as u32
        });
        all.recipes[index as usize] = Some(Arc::new(recipe));
        index + 1
    }

    pub fn remove(&self, number: u32) {
        let mut all = lock(&self.0);
        let Some(index) = number.checked_sub(1) else { return };
        if all.recipes.get_mut(index as usize).and_then(Option::take).is_some() {
            all.free.push(index);
        }
    }

    /// `None` for 0, and for a number that was given back.
    pub fn get(&self, number: u32) -> Option<Arc<Recipe>> {
        let index = number.checked_sub(1)? as usize;
        lock(&self.0).recipes.get(index).cloned().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(class: &str) -> Recipe {
        Recipe { class: class.into(), cluster: "main".into(), recoverable: false, attributes: "{}".into() }
    }

    #[test]
    fn a_number_names_its_recipe_until_it_is_given_back() {
        let recipes = Recipes::default();
        let (a, b) = (recipes.add(recipe("A")), recipes.add(recipe("B")));
        let class = |number| recipes.get(number).map(|recipe| recipe.class.to_string());
        assert_eq!((class(0), class(a).as_deref(), class(b).as_deref()), (None, Some("A"), Some("B")));
        recipes.remove(a);
        recipes.remove(a);
        assert_eq!(class(a), None);
        let (c, d) = (recipes.add(recipe("C")), recipes.add(recipe("D")));
        assert_eq!((c, class(c).as_deref(), class(d).as_deref()), (a, Some("C"), Some("D")));
    }
}
