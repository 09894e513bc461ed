"""The layers of published image classifiers, batch 1, on one 224 x 224 image (AlexNet: 227 x 227).

Each function cites the paper whose table its shapes come from. Convolutions and fully connected layers are listed;
pooling, normalisation, activations and additions do no matrix arithmetic and are left out, and so are biases.
"""

from designgym.cost_models.accelerator.layers import Layer, conv_layer, gemm_layer


def alexnet() -> tuple[Layer, ...]:
    """AlexNet, 8 layers: 665.8 M multiply-accumulates in convolutions, 58.6 M in fully connected layers.

    Source: Krizhevsky, Sutskever and Hinton, NeurIPS 2012, section 3.5. The two halves of the network that the paper
    puts on two GPUs meet in conv3 only, so conv2, conv4 and conv5 are convolutions in two groups, each of half the
    channels and half the filters. Without the groups the convolutions would cost 1.08 G; torchvision's `alexnet` is
    another, slimmer network. The input is 227 x 227: with the paper's 224 its own 55 x 55 output of conv1 does not
    come out.
    """
    return (
        _conv("conv1", 55, 11, 3, 96, stride=4),
        _conv("conv2", 27, 5, 96, 256, groups=2),
        _conv("conv3", 13, 3, 256, 384),
        _conv("conv4", 13, 3, 384, 384, groups=2),
        _conv("conv5", 13, 3, 384, 256, groups=2),
        gemm_layer("fc6", 1, 6 * 6 * 256, 4096),
        gemm_layer("fc7", 1, 4096, 4096),
        gemm_layer("fc8", 1, 4096, 1000),
    )


def vgg16() -> tuple[Layer, ...]:
    """VGG-16, 16 layers: 15.35 G multiply-accumulates in convolutions, 123.6 M in fully connected layers.

    Source: Simonyan and Zisserman, ICLR 2015, arXiv:1409.1556, Table 1, column D.
    """
    layers, channels = [], 3
    stages = ((224, (64, 64)), (112, (128, 128)), (56, (256, 256, 256)), (28, (512, 512, 512)), (14, (512, 512, 512)))
    for stage, (size, widths) in enumerate(stages, start=1):
        for block, filters in enumerate(widths, start=1):
            layers.append(_conv(f"conv{stage}_{block}", size, 3, channels, filters))
            channels = filters
    dense = (
        gemm_layer("fc6", 1, 7 * 7 * 512, 4096),
        gemm_layer("fc7", 1, 4096, 4096),
        gemm_layer("fc8", 1, 4096, 1000),
    )
    return (*layers, *dense)


def resnet18() -> tuple[Layer, ...]:
    """ResNet-18: 1.81 G multiply-accumulates, projections ("downsample") and the classifier included.

    Source: He, Zhang, Ren and Sun, CVPR 2016, doi:10.1109/CVPR.2016.90, Table 1; shortcuts that change shape are 1 x 1
    projections (option B). Layers are named as torchvision's modules.
    """
    layers, channels = [_conv("conv1", 112, 7, 3, 64, stride=2)], 64
    for stage, (size, width) in enumerate(((56, 64), (28, 128), (14, 256), (7, 512)), start=1):
        for block in range(2):
            stride = 2 if stage > 1 and block == 0 else 1
            name = f"layer{stage}.{block}"
            layers.append(_conv(f"{name}.conv1", size, 3, channels, width, stride=stride))
            layers.append(_conv(f"{name}.conv2", size, 3, width, width))
            if stride == 2:
                layers.append(_conv(f"{name}.downsample", size, 1, channels, width, stride=stride))
            channels = width
    return (*layers, gemm_layer("fc", 1, 512, 1000))


def resnet50() -> tuple[Layer, ...]:
    """ResNet-50 v1.5: 4.09 G multiply-accumulates, projections ("downsample") and the classifier included.

    Source: He, Zhang, Ren and Sun, CVPR 2016, doi:10.1109/CVPR.2016.90, Table 1. A block that halves the image does so
    in its 3 x 3 convolution, as torchvision has it ("v1.5"); the paper's own network ("v1") does so in the first 1 x 1,
    which costs 3.86 G. Layers are named as torchvision's modules.
    """
    layers, channels, before = [_conv("conv1", 112, 7, 3, 64, stride=2)], 64, 56
    stages = ((56, 64, 3), (28, 128, 4), (14, 256, 6), (7, 512, 3))
    for stage, (size, width, blocks) in enumerate(stages, start=1):
        for block in range(blocks):
            stride = before // size
            name = f"layer{stage}.{block}"
            layers.append(_conv(f"{name}.conv1", before, 1, channels, width))
            layers.append(_conv(f"{name}.conv2", size, 3, width, width, stride=stride))
            layers.append(_conv(f"{name}.conv3", size, 1, width, 4 * width))
            if block == 0:
                layers.append(_conv(f"{name}.downsample", size, 1, channels, 4 * width, stride=stride))
            channels, before = 4 * width, size
    return (*layers, gemm_layer("fc", 1, 2048, 1000))


def mobilenetv2() -> tuple[Layer, ...]:
    """MobileNetV2 1.0: 300.8 M multiply-accumulates; a depthwise layer of C channels is C layers of one channel.

    Source: Sandler, Howard, Zhu, Zhmoginov and Chen, CVPR 2018, doi:10.1109/CVPR.2018.00474, Table 2.
    """
    layers, channels, before = [_conv("conv0", 112, 3, 3, 32, stride=2)], 32, 112
    stages = (  # output size, expansion, filters, blocks
        (112, 1, 16, 1),
        (56, 6, 24, 2),
        (28, 6, 32, 3),
        (14, 6, 64, 4),
        (14, 6, 96, 3),
        (7, 6, 160, 3),
        (7, 6, 320, 1),
    )
    for stage, (size, expansion, filters, blocks) in enumerate(stages, start=1):
        for block in range(blocks):
            name, hidden = f"bottleneck{stage}.{block}", expansion * channels
            if expansion > 1:
                layers.append(_conv(f"{name}.expand", before, 1, channels, hidden))
            layers.append(_conv(f"{name}.depthwise", size, 3, hidden, hidden, stride=before // size, groups=hidden))
            layers.append(_conv(f"{name}.project", size, 1, hidden, filters))
            channels, before = filters, size
    return (*layers, _conv("conv1", 7, 1, 320, 1280), gemm_layer("classifier", 1, 1280, 1000))


def _conv(name: str, out: int, kernel: int, channels: int, filters: int, stride: int = 1, groups: int = 1) -> Layer:
    """Return a square convolution."""
    return conv_layer(name, (out, out), (kernel, kernel), channels, filters, (stride, stride), groups)
