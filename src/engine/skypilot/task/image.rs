//! `--container-image` of pyxis as SkyPilot's `image_id`.

/// The image in SkyPilot's words: `docker:nvcr.io/nvidia/pytorch:24.05-py3`.
///
/// pyxis takes what enroot imports: `[docker://][REGISTRY#]IMAGE[:TAG]`, or a file.
///
/// # Errors
/// Why SkyPilot cannot start a node with it, and what to do.
pub(super) fn image_id(given: &str) -> Result<String, String> {
    let refuse = |why: &str| Err(format!("--container-image={}: {why}", given.escape_debug()));
    if given.starts_with(['/', '.', '~']) || given.ends_with(".sqsh") {
        return refuse(
            "a node that SkyPilot starts has no image file of this machine; push the image to a registry and name it \
             there (REGISTRY/IMAGE:TAG)",
        );
    }
    if given.starts_with("dockerd://") || given.starts_with("podman://") {
        return refuse("the images of this machine's container daemon stay here; push it to a registry");
    }
    let name = given.strip_prefix("docker://").or_else(|| given.strip_prefix("docker:")).unwrap_or(given);
    let (registry, image) = name.split_once('#').map_or((None, name), |(registry, image)| (Some(registry), image));
    let registry = registry.map(|registry| registry.trim_end_matches('\\'));
    if registry.is_some_and(|registry| registry.contains('@')) {
        return refuse("SkyPilot has the registry's login in its own configuration; leave the user out");
    }
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"\"'`$\\#".contains(c));
    if !word(image) || !registry.is_none_or(word) {
        return refuse("that is no name of an image");
    }
    Ok(match registry {
        Some(registry) => format!("docker:{registry}/{image}"),
        None => format!("docker:{image}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_pyxis() {
        let table = [
            ("nvcr.io#nvidia/pytorch:24.05-py3", "docker:nvcr.io/nvidia/pytorch:24.05-py3"),
            ("nvcr.io\\#nvidia/pytorch:24.05-py3", "docker:nvcr.io/nvidia/pytorch:24.05-py3"),
            ("docker://nvcr.io#nvidia/pytorch", "docker:nvcr.io/nvidia/pytorch"),
            ("docker://ubuntu:22.04", "docker:ubuntu:22.04"),
            ("docker:ubuntu", "docker:ubuntu"),
            ("nvcr.io/nvidia/nemo:24.07", "docker:nvcr.io/nvidia/nemo:24.07"),
            ("python@sha256:0123", "docker:python@sha256:0123"),
        ];
        for (given, expected) in table {
            assert_eq!(image_id(given).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_image_of_a_registry() {
        for given in
            ["/images/torch.sqsh", "torch.sqsh", "./a", "~/a.sqsh", "dockerd://a", "u@nvcr.io#a", "", "a b", "#a"]
        {
            assert!(image_id(given).is_err(), "{given}");
        }
    }
}
