/**
 * A tree of paths by their steps. Paths that start with the same steps share them. So what is above or below
 * a path is found by its own steps, however many other paths there are.
 */
export interface PathTree<T> {
  below: Map<string, PathTree<T>>
  /** The value for the path that ends here. */
  here: T | undefined
}

export function pathTree<T>(): PathTree<T> {
  return { below: new Map(), here: undefined }
}

/** The place of a path below another. It is created if it is missing. */
export function placeBelow<T>(tree: PathTree<T>, steps: readonly string[]): PathTree<T> {
  let place = tree
  for (const step of steps) {
    const known = place.below.get(step)
    const next = known ?? pathTree<T>()
    if (known === undefined) place.below.set(step, next)
    place = next
  }
  return place
}
