"""The images: entries, paths, files."""

from segtune.data.rules.rule import error, info, warning

_WHOLE_NUMBER = "write a whole number, without quotes or decimal point"

IMAGES = (
    error("image-not-object", "an image entry is not an object", 'write {"id": 1, ...}'),
    error("image-id-missing", "an image has no id", "give every image an id of its own"),
    error("image-id-type", "an image id is not a whole number", _WHOLE_NUMBER),
    error("image-id-duplicate", "an image id is used twice", "give every image an id of its own"),
    error(
        "image-name-missing", "an image has no file_name", "add it, relative to the image folder"
    ),
    error(
        "image-name-type",
        "a file_name is not text that names a file",
        "write the path relative to the image folder",
    ),
    error(
        "image-path-absolute",
        "a file_name is an absolute path",
        "write it relative to the image folder, so that the dataset can move",
    ),
    error(
        "image-path-outside",
        "a file_name leaves the image folder",
        "move the image into the folder and drop the '..'",
    ),
    error(
        "image-size-missing",
        "an image has no width or height",
        "add both, as the upright picture has them",
    ),
    error(
        "image-size-type",
        "a width or height is not a whole number from 1 to 65535",
        "write the size of the upright picture in pixels",
    ),
    warning(
        "image-name-duplicate",
        "two images have the same file_name",
        "join their annotations under one image; as it is, each lacks what the other labels",
    ),
    error(
        "image-path-backslash",
        "a file_name has back-slashes, which lead to a file on Windows only",
        'write "/" between folders',
    ),
    error(
        "image-path-doubled",
        "a file_name begins with the name of the image folder, which is there already",
        "write it relative to the image folder, without the folder's own name",
    ),
    error(
        "image-path-case",
        "a file_name differs from the file on disk in upper and lower case",
        "write the name as it is on disk",
    ),
    error(
        "image-path-unicode",
        "a file_name differs from the file on disk in how accents are encoded (NFC, NFD)",
        "rename the file or the entry, so that both are composed (NFC)",
    ),
    warning(
        "image-path-lenient",
        "a file_name is not as on disk, and works on this kind of system only",
        'write the name as it is on disk, with "/" between folders',
    ),
    error("image-missing", "an image file is missing", "add the file or remove its entry"),
    error("image-empty", "an image file has zero bytes", "copy or download it again"),
    error("image-unreadable", "an image cannot be decoded", "copy, download or convert it again"),
    error(
        "image-size",
        "an image has another size than stated",
        "correct width and height if the masks fit the picture; else restore the annotated file",
    ),
    error(
        "image-size-exif",
        "the stated size is that of the picture before its EXIF rotation",
        "turn the pixels and drop the EXIF tag, or annotate the upright picture; check the masks",
    ),
    warning(
        "image-overfull",
        "an image has more instances than a model can return",
        "cut the image and its annotations into tiles, and predict on tiles as well",
    ),
    warning(
        "image-exif-masks",
        "the masks were drawn before the picture's EXIF rotation, the size was stated after it",
        "turn the masks, or drop the EXIF tag and state the size as stored; look at the result",
    ),
    info(
        "image-exif-undecided",
        "an image is turned by its EXIF tag, and neither size nor masks tell whether they are",
        "look at the masks on the picture; other tools may ignore the tag",
    ),
    warning(
        "image-sixteen-bit",
        "an image has more than eight bits a channel; the lower ones are dropped",
        "if it looks dark, stretch its values to the full range and save eight bits",
    ),
    warning(
        "image-cmyk",
        "an image has the four colours of print, which turn out differently from tool to tool",
        "convert it to RGB once, with its colour profile",
    ),
    warning(
        "image-animated",
        "an image file has several pictures, of which the first is used",
        "save each annotated one as a file of its own",
    ),
    warning(
        "image-see-through",
        "an image has transparent pixels, whose hidden colours are used",
        "put it on the background that it will be seen on, and save it without transparency",
    ),
    info(
        "image-palette",
        "an image has a palette of 256 colours at most; it is converted to RGB",
        "see that it is the photograph, not a mask or a preview",
    ),
    info(
        "image-grey-mixed",
        "grey and colour images are mixed in a split; here are the fewer",
        "nothing, if prediction meets both as well",
    ),
    warning(
        "image-suffix",
        "an image is of another format than its name says",
        "rename it, and its entry; some tools go by the name",
    ),
    warning(
        "image-twice",
        "two files of a split hold the same picture",
        "keep one, with all of its annotations",
    ),
    info(
        "image-similar",
        "two pictures of a split are near copies of each other",
        "nothing if they are frames of a video; keep such together when you split",
    ),
    warning(
        "images-mostly-empty",
        "most images have no instance; they are learnt from as background",
        "see that labels were not lost, or take background images out",
    ),
    info(
        "image-uncounted",
        "an image has more than 100 instances of a class; COCO's AP counts the best 100",
        "cut it into tiles, if AP is to measure them all",
    ),
    info(
        "images-skipped",
        "the image files were not looked at",
        "check again without --skip-images before training",
    ),
)
