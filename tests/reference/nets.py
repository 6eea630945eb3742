"""The nets that exports.py exports and trains: build(NAME, dropout) gives a Net.

Widths, depths and layouts are those of the published models; batches, lengths and image sides are small, so that ten steps of each take
seconds. Parameters that start equal (norms at one, biases at zero) are drawn apart, as those of a trained model are.
"""
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class Net:
    model: nn.Module
    arrays: dict          # inputs by name, all rows
    labels: torch.Tensor
    batch: int
    loss: str = "cross-entropy"
    rate: float = 1e-3
    rule: str = "adamw"
    exact: bool = True    # compare with f64 as well


# ---- attention ------------------------------------------------------------

def heads_of(x, heads):
    return x.view(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def joined(x):
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)


class Block(nn.Module):
    """Norms before attention and feed-forward (GPT), or after them (BERT)."""

    def __init__(self, width, heads, causal, drop):
        super().__init__()
        self.heads, self.causal, self.rate = heads, causal, drop
        eps = 1e-5 if causal else 1e-12
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=eps), nn.LayerNorm(width, eps=eps)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow, self.drop = nn.Linear(width, 4 * width), nn.Linear(4 * width, width), nn.Dropout(drop)

    def attend(self, x, mask):
        q, k, v = (heads_of(t, self.heads) for t in self.qkv(x).split(x.shape[2], dim=2))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal,
                                           dropout_p=self.rate if self.training else 0.0)
        return self.drop(self.proj(joined(y)))

    def forward(self, x, mask=None):
        if self.causal:
            x = x + self.attend(self.norm1(x), mask)
            return x + self.drop(self.narrow(F.gelu(self.wide(self.norm2(x)), approximate="tanh")))
        x = self.norm1(x + self.attend(x, mask))
        return self.norm2(x + self.drop(self.narrow(F.gelu(self.wide(x)))))


class GPT(nn.Module):
    """Learned positions, a head that shares the embedding's weights."""

    def __init__(self, words, length, layers, width, heads, drop):
        super().__init__()
        self.word, self.position = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads, True, drop) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)
        self.head.weight = self.word.weight

    def forward(self, tokens):
        x = self.word(tokens) + self.position(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Bert(nn.Module):
    """Padding mask, token kinds, pooled first token, two classes."""

    def __init__(self, layers, width, heads, drop, words=30522, length=512):
        super().__init__()
        self.word, self.position = nn.Embedding(words, width), nn.Embedding(length, width)
        self.kind, self.norm, self.drop = nn.Embedding(2, width), nn.LayerNorm(width, eps=1e-12), nn.Dropout(drop)
        self.blocks = nn.ModuleList(Block(width, heads, False, drop) for _ in range(layers))
        self.pool, self.head = nn.Linear(width, width), nn.Linear(width, 2)

    def forward(self, tokens, mask):
        x = self.word(tokens) + self.position(torch.arange(tokens.shape[1], device=tokens.device))
        x = self.drop(self.norm(x + self.kind(torch.zeros_like(tokens))))
        for block in self.blocks:
            x = block(x, mask.bool()[:, None, None, :])
        return self.head(self.drop(torch.tanh(self.pool(x[:, 0]))))


# ---- a decoder of the Llama kind, dense or with experts --------------------

class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


def rotated(x):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((-b, a), dim=-1)


class SwiGLU(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.gate, self.up, self.down = (nn.Linear(a, b, bias=False)
                                         for a, b in ((width, hidden), (width, hidden), (hidden, width)))

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class ScatterExperts(nn.Module):
    """Every expert on every token; the weights of the best k scattered into a table of all."""

    def __init__(self, width, hidden, experts, best):
        super().__init__()
        self.best, self.router = best, nn.Linear(width, experts, bias=False)
        self.experts = nn.ModuleList(SwiGLU(width, hidden) for _ in range(experts))

    def forward(self, x):
        weight, chosen = torch.topk(F.softmax(self.router(x), dim=-1), self.best, dim=-1)
        weight = weight / weight.sum(dim=-1, keepdim=True)
        table = torch.zeros(*x.shape[:-1], len(self.experts)).to(weight).scatter(-1, chosen, weight)
        return sum(expert(x) * table[..., i:i + 1] for i, expert in enumerate(self.experts))


class OneHotExperts(nn.Module):
    """Weights of all experts in one tensor, the choice as one-hot rows in an einsum."""

    def __init__(self, width, hidden, experts, best):
        super().__init__()
        self.best, self.count, self.router = best, experts, nn.Linear(width, experts, bias=False)
        self.up = nn.Parameter(torch.randn(experts, width, 2 * hidden) * 0.05)
        self.down = nn.Parameter(torch.randn(experts, hidden, width) * 0.05)

    def forward(self, x):
        score, chosen = torch.topk(self.router(x), self.best, dim=-1)
        one = F.one_hot(chosen, self.count).to(x.dtype)
        table = torch.einsum("btk,btke->bte", F.softmax(score, dim=-1), one)
        gate, up = torch.einsum("btd,edh->bteh", x, self.up).chunk(2, dim=-1)
        return torch.einsum("bteh,ehd,bte->btd", F.silu(gate) * up, self.down, table)


class IndexAddExperts(ScatterExperts):
    """Each expert adds its rows, weighted where it was chosen, to the sum by index."""

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        weight, chosen = torch.topk(F.softmax(self.router(flat), dim=-1), self.best, dim=-1)
        out, rows = torch.zeros_like(flat), torch.arange(flat.shape[0], device=x.device)
        for i, expert in enumerate(self.experts):
            share = torch.where(chosen == i, weight, torch.zeros_like(weight)).sum(-1, keepdim=True)
            out = out.index_add(0, rows, expert(flat) * share)
        return out.view_as(x)


class LlamaBlock(nn.Module):
    def __init__(self, width, heads, groups, feed):
        super().__init__()
        self.heads, self.groups, size = heads, groups, width // heads
        self.norm1, self.norm2, self.feed = RMSNorm(width), RMSNorm(width), feed
        self.q, self.o = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.k, self.v = nn.Linear(width, groups * size, bias=False), nn.Linear(width, groups * size, bias=False)

    def attend(self, x, cos, sin):
        q, k, v = heads_of(self.q(x), self.heads), heads_of(self.k(x), self.groups), heads_of(self.v(x), self.groups)
        q, k = q * cos + rotated(q) * sin, k * cos + rotated(k) * sin
        k, v = (t[:, :, None].expand(-1, -1, self.heads // self.groups, -1, -1).reshape(q.shape) for t in (k, v))
        return self.o(joined(F.scaled_dot_product_attention(q, k, v, is_causal=True)))

    def forward(self, x, cos, sin):
        x = x + self.attend(self.norm1(x), cos, sin)
        return x + self.feed(self.norm2(x))


class Llama(nn.Module):
    """Rotary positions, RMSNorm, SwiGLU, grouped queries."""

    def __init__(self, words, layers, width, heads, groups, feed):
        super().__init__()
        self.word = nn.Embedding(words, width)
        self.blocks = nn.ModuleList(LlamaBlock(width, heads, groups, feed()) for _ in range(layers))
        self.norm, self.head = RMSNorm(width), nn.Linear(width, words, bias=False)
        size = width // heads
        self.register_buffer("inverse", 1.0 / 10000 ** (torch.arange(0, size, 2).float() / size), persistent=False)

    def forward(self, tokens):
        angle = torch.arange(tokens.shape[1], device=tokens.device)[:, None].to(self.inverse.dtype) * self.inverse[None, :]
        angle = torch.cat((angle, angle), dim=-1)
        x, cos, sin = self.word(tokens), angle.cos()[None, None], angle.sin()[None, None]
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.head(self.norm(x))


# ---- pictures --------------------------------------------------------------

class Residual(nn.Module):
    """GroupNorm, SiLU, convolution, twice, with the time between."""

    def __init__(self, before, after, time, drop):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(4, before), nn.GroupNorm(4, after)
        self.conv1, self.conv2 = nn.Conv2d(before, after, 3, 1, 1), nn.Conv2d(after, after, 3, 1, 1)
        self.time, self.drop = nn.Linear(time, after), nn.Dropout(drop)
        self.short = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x, time):
        y = self.conv1(F.silu(self.norm1(x))) + self.time(F.silu(time))[:, :, None, None]
        return self.conv2(self.drop(F.silu(self.norm2(y)))) + self.short(x)


class UNet(nn.Module):
    """A denoiser: two scales, skips by concatenation, attention in the middle, sines of the time."""

    def __init__(self, width, time, up, drop):
        super().__init__()
        self.time, self.width = nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time)), width
        self.first, self.down = nn.Conv2d(3, width, 3, 1, 1), nn.Conv2d(width, width, 3, 2, 1)
        self.left, self.deep = Residual(width, width, time, drop), Residual(width, 2 * width, time, drop)
        self.norm, self.qkv = nn.GroupNorm(4, 2 * width), nn.Conv2d(2 * width, 6 * width, 1)
        self.up = (nn.ConvTranspose2d(2 * width, 2 * width, 4, 2, 1) if up == "transpose" else
                   nn.Sequential(nn.Upsample(scale_factor=2, mode=up), nn.Conv2d(2 * width, 2 * width, 3, 1, 1)))
        self.right, self.out = Residual(3 * width, width, time, drop), nn.GroupNorm(4, width)
        self.last = nn.Conv2d(width, 3, 3, 1, 1)

    def sines(self, t):
        half = self.width // 2
        angle = t[:, None].to(self.first.weight.dtype) * torch.exp(
            -math.log(10000) * torch.arange(half, device=t.device).to(self.first.weight.dtype) / half)[None]
        return torch.cat((angle.sin(), angle.cos()), dim=-1)

    def forward(self, x, t):
        time = self.time(self.sines(t))
        skip = self.left(self.first(x), time)
        x = self.deep(self.down(skip), time)
        q, k, v = self.qkv(self.norm(x)).flatten(2).transpose(1, 2).unsqueeze(1).chunk(3, dim=-1)
        x = x + F.scaled_dot_product_attention(q, k, v).squeeze(1).transpose(1, 2).reshape(x.shape)
        x = self.right(torch.cat((self.up(x), skip), dim=1), time)
        return self.last(F.silu(self.out(x)))


class Segmenter(nn.Module):
    """Classes on axis 1 of [N,C,H,W]: bilinear upsampling of a strided encoder."""

    def __init__(self, classes):
        super().__init__()
        self.encode = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.SiLU(),
                                    nn.Conv2d(16, 32, 3, 1, 2, dilation=2), nn.BatchNorm2d(32), nn.LeakyReLU(0.1))
        self.head = nn.Conv2d(32, classes, 1)

    def forward(self, x):
        return F.interpolate(self.head(self.encode(x)), size=x.shape[2:], mode="bilinear", align_corners=False)


# ---- nets by name ----------------------------------------------------------

def drawn_apart(model):
    """Embeddings and products small, as usual; what starts equal a little apart."""
    for part in model.modules():
        if isinstance(part, (nn.Linear, nn.Embedding)):
            nn.init.normal_(part.weight, std=0.02)
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 1:
                p.add_(0.02 * torch.randn_like(p))
    return model.train()


def text(model, words, length, batch, **more):
    """Each token follows from the one before, one in eight is drawn."""
    tokens = torch.randint(words, (2 * batch, length + 1))
    follows = torch.rand(2 * batch, length) > 0.125
    for at in range(length):
        tokens[:, at + 1] = torch.where(follows[:, at], (5 * tokens[:, at] + 3) % words, tokens[:, at + 1])
    return Net(drawn_apart(model), {"input_ids": tokens[:, :-1].contiguous()}, tokens[:, 1:].contiguous(), batch, **more)


def pictures(model, side, classes, batch, **more):
    """Noise around a picture of each class."""
    labels = torch.randint(classes, (2 * batch,))
    x = torch.randn(classes, 3, side, side)[labels] + 0.5 * torch.randn(2 * batch, 3, side, side)
    return Net(model.train(), {"input": x}, labels, batch, **more)


def bert(layers, width, heads, drop, **more):
    batch, length = 4, 64
    mask = torch.ones(2 * batch, length, dtype=torch.int64)
    mask[::2, length - 16:] = 0
    return Net(drawn_apart(Bert(layers, width, heads, drop)),
               {"input_ids": torch.randint(30522, (2 * batch, length)), "attention_mask": mask},
               torch.randint(2, (2 * batch,)), batch, **more)


def unet(up, drop):
    x, batch = torch.randn(16, 3, 16, 16), 8
    return Net(drawn_apart(UNet(32, 64, up, drop)), {"x": x, "t": torch.randint(1000, (16,))},
               0.5 * x + 0.1 * torch.randn_like(x), batch, loss="mse")


def llama(feed):
    return text(Llama(512, 2, 128, 4, 2, feed), 512, 64, 4)


def resnet18(drop):
    from torchvision import models
    model = models.resnet18(num_classes=10)
    model.conv1, model.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    return pictures(model, 32, 10, 16, rate=1e-3, rule="sgd")


def resnet50(drop):
    from torchvision import models
    return pictures(models.resnet50(num_classes=100), 96, 100, 8, rate=1e-4, rule="sgd")


def mobilenetv2(drop):
    from torchvision import models
    return pictures(models.mobilenet_v2(dropout=drop, num_classes=100), 96, 100, 8, rate=1e-4, rule="sgd")


def vit_tiny(drop):
    from torchvision.models.vision_transformer import VisionTransformer
    net = pictures(VisionTransformer(224, 16, 12, 3, 192, 768, num_classes=100, dropout=drop), 224, 100, 2, rate=1e-4)
    drawn_apart(net.model)
    return net


def segmenter(drop):
    x = torch.randn(8, 3, 32, 32)
    labels = (x.mean(1) * 4).round().long().clamp(-2, 2) + 2
    return Net(Segmenter(5).train(), {"input": x}, labels, 4)


NETS = {
    "resnet18": resnet18, "resnet50": resnet50, "mobilenetv2": mobilenetv2, "vit_tiny": vit_tiny,
    "bert_mini": lambda drop: bert(4, 256, 4, drop),
    "bert_base": lambda drop: bert(12, 768, 12, drop, rate=1e-4, exact=False),
    "gpt_mini": lambda drop: text(GPT(256, 256, 4, 256, 4, drop), 256, 128, 4),
    "gpt2": lambda drop: text(GPT(50257, 1024, 12, 768, 12, drop), 50257, 64, 2, rate=1e-4, exact=False),
    "gpt2_512": lambda drop: text(GPT(50257, 1024, 12, 768, 12, drop), 50257, 512, 1, rate=1e-4, exact=False),
    "llama": lambda drop: llama(lambda: SwiGLU(128, 344)),
    "moe_scatter": lambda drop: llama(lambda: ScatterExperts(128, 128, 4, 2)),
    "moe_onehot": lambda drop: llama(lambda: OneHotExperts(128, 128, 4, 2)),
    "moe_index": lambda drop: llama(lambda: IndexAddExperts(128, 128, 4, 2)),
    "unet": lambda drop: unet("transpose", drop),
    "unet_nearest": lambda drop: unet("nearest", drop),
    "segmenter": segmenter,
}


def build(name, drop=0.0):
    torch.manual_seed(3)
    return NETS[name](drop)
