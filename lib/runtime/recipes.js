/**
 * What a worker is made from by the first message of an agent that `broker.get()` made.
 *
 * The core knows a recipe by a number, which goes with each message beside the form of its data.
 */
'use strict';

const { RECIPE_FACTOR } = require('../protocol');

class Recipe {
  /** `attributes`: JSON text. */
  constructor(className, cluster, recoverable, attributes) {
    this.className = className;
    this.cluster = cluster;
    this.recoverable = recoverable;
    this.attributes = attributes;
    this.channel = null;
    this.tag = 0;
  }

  /** What is added to a form on this channel: each channel has numbers of its own. */
  tagFor(channel) {
    if (this.channel !== channel) {
      const number = channel.native.addRecipe(this.className, this.cluster, this.recoverable, this.attributes);
      this.channel = channel;
      this.tag = number * RECIPE_FACTOR;
      if (this.owner !== undefined) collected.register(this.owner, { channel, number });
    }
    return this.tag;
  }

  /** The number is given back when this agent, which alone has the recipe, is collected. */
  ownedBy(agent) {
    this.owner = agent;
    return this;
  }
}

const collected = new FinalizationRegistry(({ channel, number }) => {
  if (!channel.closed) channel.native.removeRecipe(number);
});

/** The form of a payload, without the recipe beside it. */
function formOf(tagged) {
  return tagged % RECIPE_FACTOR;
}

/** The recipes of a broker that agents share: those of one class without attributes of their own. */
class Recipes {
  constructor() {
    this.shared = new Map();
  }

  get(className, cluster, attributes) {
    const key = JSON.stringify([className, cluster, attributes]);
    let recipe = this.shared.get(key);
    if (recipe === undefined) {
      recipe = new Recipe(className, cluster, false, attributes);
      this.shared.set(key, recipe);
    }
    return recipe;
  }
}

module.exports.Recipe = Recipe;
module.exports.Recipes = Recipes;
module.exports.formOf = formOf;
